"""What can go wrong with a channel."""


class AddressError(Exception):
    """An address that no channel can have; its text is one sentence, without the address."""


class DeliveryError(Exception):
    """A message was not taken; its text says why, in a few words, without any secret.

    `wait`: the seconds after which the receiver wants to be asked again, where it says so."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait
