"""A connection to a Redis or Valkey server: how it is made, with TLS and time limits, and one command on it."""

import contextlib
from typing import Any

from lakekey._imports import libraries
from lakekey.cache.stores.redis_address import FILES, Address, Node
from lakekey.errors import ConfigurationError

with libraries():
    try:
        from redis import connection as wire
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError:
        MISSING: ConfigurationError | None = ConfigurationError(
            "a redis:// store needs redis-py, which is not installed", hint="pip install 'lakekey[redis]'"
        )
    else:
        MISSING = None

_COMMAND = 15.0  # seconds for the command itself: a slow store is slow, and not away


class Wire:
    """A connection, as `Turns` hands it on.

    Args:
        connection: The library's, connected.
    """

    def __init__(self, connection: Any) -> None:
        # The library has one time for the handshake and for commands: what is short enough there is too short here.
        connection._sock.settimeout(_COMMAND)  # noqa: SLF001 - it has no other name for its socket
        self._connection = connection
        self.closed = False

    def ask(self, *words: Any, moving: bool = False) -> Any:
        """Send a command, and return its reply. Raises what the library raises.

        Args:
            words: The command.
            moving: Whether its keys are on the way to this node of a cluster, which refuses it otherwise.
        """
        if moving:
            self._connection.send_command("ASKING")
            self._connection.read_response()
        self._connection.send_command(*words)
        return self._connection.read_response()

    def close(self) -> None:
        """Hang up."""
        self.closed = True
        with contextlib.suppress(Exception):  # whatever the library says of a connection that is broken
            self._connection.disconnect()


def new_connection(address: Address, node: Node, seconds: float, *, of_sentinel: bool = False) -> Any:
    """A connection of the library's, which does not connect yet.

    Args:
        address: Whose settings it has.
        node: Where to.
        seconds: How long connecting may take.
        of_sentinel: Whether the node is a sentinel, which has no database and may have a user of its own.
    """
    settings: dict[str, Any] = {
        "host": node[0],
        "port": node[1],
        "db": 0 if of_sentinel else address.database,
        "username": address.options.get("sentinel_user") if of_sentinel else address.user,
        "password": address.options.get("sentinel_password") if of_sentinel else address.password,
        "socket_connect_timeout": seconds,
        "socket_timeout": seconds,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
    }
    if not address.encrypted:
        return wire.Connection(**settings)  # type: ignore[no-untyped-call]
    files: dict[str, Any] = {name: address.options[name] for name in FILES if name in address.options}
    return wire.SSLConnection(**settings, **files, ssl_cert_reqs="required", ssl_check_hostname=True)
