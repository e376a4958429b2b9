"""Addresses of a Redis store: one server, or the sentinels that know which server is the primary."""

from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from lakekey._hosts import LOOPBACK
from lakekey.errors import ConfigurationError

_SENTINEL = "+sentinel"
#: Parameters that name files for TLS.
FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_PARAMETERS = ("prefix", "connect_timeout", *FILES)
_OF_SENTINELS = ("service", "sentinel_user", "sentinel_password")

Node = tuple[str, int]


class Address(NamedTuple):
    """An address of a store, taken apart.

    Attributes:
        host: The host.
        port: The port.
        database: The number of the database.
        user: The user, or ``None``.
        password: The password, or ``None``.
        encrypted: Whether by TLS.
        options: What stands behind the ``?``.
        sentinels: Where the sentinels are; none where host and port are the server's.
    """

    host: str
    port: int
    database: int
    user: str | None
    password: str | None
    encrypted: bool
    options: dict[str, str]
    sentinels: tuple[Node, ...] = ()

    @property
    def service(self) -> str:
        """What the sentinels call the server."""
        return self.options.get("service", "mymaster")

    def __repr__(self) -> str:
        return f"Address({self.host}:{self.port}/{self.database})"


def address_of(text: str) -> Address:
    """Take an address apart.

    Raises:
        ConfigurationError: It is malformed, or would send what is stored in clear to another host.
    """
    try:
        parts = urlsplit(text)
        by_sentinels = parts.scheme.endswith(_SENTINEL)
        credentials, _, hosts = parts.netloc.rpartition("@")
        several = hosts.split(",") if by_sentinels else [hosts]
        nodes = tuple(_node(host, 26379 if by_sentinels else 6379) for host in several)
        database = int(parts.path.strip("/") or 0)
        split_password = "@" in f"{parts.path}{parts.query}{parts.fragment}"
    except ValueError:  # its message may quote the address
        nodes, split_password = (), False
    # A raw /, ? or # in a password ends the place before its @: then a part of the password would pass for the host,
    # be looked up, and be shown.
    if not nodes or split_password:
        raise _invalid("cannot be read", "write rediss://USER@HOST:PORT/DATABASE, special characters as %XX")
    options = dict(parse_qsl(parts.query))
    unknown = sorted(set(options) - {*_PARAMETERS, *(_OF_SENTINELS if by_sentinels else ())})
    if unknown:
        raise _invalid(f"has the parameter {unknown[0]!r}, which this store does not take", f"remove {unknown[0]}")
    encrypted = parts.scheme.startswith("rediss")
    if not encrypted and any(host not in LOOPBACK for host, _ in nodes):
        raise _invalid("would send everything in clear to another host", "use rediss:// and turn on TLS on the server")
    user, _, password = credentials.partition(":")
    return Address(
        host=nodes[0][0],
        port=nodes[0][1],
        database=database,
        user=unquote(user) or None,
        password=unquote(password) or None,
        encrypted=encrypted,
        options=options,
        sentinels=nodes if by_sentinels else (),
    )


def _node(text: str, port: int) -> Node:
    """A host and its port. Raises `ValueError` where there is no host."""
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError(text)
    return parts.hostname, parts.port or port


def _invalid(what: str, hint: str) -> ConfigurationError:
    return ConfigurationError(f"the address of the store (LAKEKEY_STORE) {what}", hint=hint)
