"""Addresses of the open internet: unless others are allowed, nothing else is ever asked."""

import ipaddress

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection


class PrivateAddressError(Exception):
    """A name led to a private address."""


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the open internet."""
    ip = ipaddress.ip_address(address)
    return ip.is_global and not ip.is_multicast


def public_only(pools: PoolManager) -> None:
    """Have the connections of `pools` raise PrivateAddressError, before anything is asked over
    them, where they led to a private address: whatever name it was, wherever a redirect led."""
    pools.pool_classes_by_scheme = {"http": _Http, "https": _Https}


def _refuse_private(connection: HTTPConnection) -> None:
    assert connection.sock
    if not is_public(connection.sock.getpeername()[0]):
        connection.close()
        raise PrivateAddressError(f"{connection.host} is at a private address")


class _HttpConnection(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _refuse_private(self)


class _HttpsConnection(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _refuse_private(self)


class _Http(HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _Https(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection
