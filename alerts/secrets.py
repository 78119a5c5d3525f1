"""Keeping the channels' addresses secret: encrypted with PANTAU_SECRET_KEY, by Fernet."""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

import settings


class SecretsError(Exception):
    """A secret cannot be kept or read; its text is one sentence for the operator."""


def new_key() -> str:
    """A new key for PANTAU_SECRET_KEY."""
    return Fernet.generate_key().decode()


def encrypt(text: str, current: settings.Settings) -> bytes:
    """`text`, encrypted with the newest key. Raises SecretsError."""
    return _keys(current).encrypt(text.encode())


def decrypt(secret: bytes, current: settings.Settings) -> str:
    """What was encrypted with any of the keys. Raises SecretsError."""
    try:
        return _keys(current).decrypt(secret).decode()
    except InvalidToken:
        raise SecretsError(
            "None of the keys in PANTAU_SECRET_KEY opens this channel's address; "
            "put the key back that it was added with, or add the channel again."
        ) from None


def rotate(secret: bytes, current: settings.Settings) -> bytes:
    """`secret`, encrypted anew with the newest key. Raises SecretsError."""
    return encrypt(decrypt(secret, current), current)


def _keys(current: settings.Settings) -> MultiFernet:
    given = current.secret_key.get_secret_value() if current.secret_key else ""
    keys = [key.strip() for key in given.split(",") if key.strip()]
    if not keys:
        raise SecretsError(
            "Channels need PANTAU_SECRET_KEY, to keep their addresses secret; "
            "`pantau alerts key` prints one."
        )
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError:
        raise SecretsError(
            "PANTAU_SECRET_KEY holds something that is no key; `pantau alerts key` prints one."
        ) from None
