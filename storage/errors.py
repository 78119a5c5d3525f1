"""What storage cannot do; each text is one sentence for the operator."""


class DatabaseError(Exception):
    """The database cannot be used."""


class RedisUnavailableError(Exception):
    """No Redis can be used."""
