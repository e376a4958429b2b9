"""A connection to a Redis or Valkey server: how it is made, with TLS and time limits, and one command on it.

The library's times bound each wait for bytes, so a server that drips one byte at a time would hold its caller for ever.
Here one time limit is for the whole of connecting, and one for the whole of a command and its reply.
"""

import contextlib
import time
from collections.abc import Callable
from typing import Any

from lakekey._imports import libraries
from lakekey.cache.stores.alike import Unreadable, spoken
from lakekey.cache.stores.late import Limit
from lakekey.cache.stores.redis_address import FILES, Address, Node
from lakekey.errors import ConfigurationError

with libraries():
    try:
        from redis import connection as wire
        from redis import exceptions as refusals
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError:
        MISSING: ConfigurationError | None = ConfigurationError(
            "a redis:// store needs redis-py, which is not installed", hint="pip install 'lakekey[redis]'"
        )
    else:
        MISSING = None


_SLEPT = 1.0  # seconds beyond its limit after which an attempt to connect is known to have been stopped


class Wire:
    """A connection, as `Turns` hands it on.

    Args:
        connection: The library's, connected.
        seconds: How long one command may take, its reply included.
    """

    def __init__(self, connection: Any, seconds: float) -> None:
        self._connection = connection
        self._seconds = seconds
        self.closed = False

    def ask(self, *words: Any, moving: bool = False) -> Any:
        """Send a command, and return its reply. Raises what the library raises, or `Unreadable`.

        Args:
            words: The command.
            moving: Whether its keys are on the way to this node of a cluster, which refuses it otherwise.
        """
        # What is short enough for connecting is too short here.
        self._connection.limit.until = time.monotonic() + self._seconds
        if moving:
            exchange(self._connection, "ASKING")
        return exchange(self._connection, *words)

    def close(self) -> None:
        """Hang up."""
        self.closed = True
        with contextlib.suppress(Exception):  # whatever the library says of a connection that is broken
            self._connection.disconnect()


def exchange(connection: Any, *words: Any) -> Any:
    """Send a command by a connection of the library's, and return its reply.

    Raises:
        RedisError, OSError: There is none, or it is an error.
        Unreadable: It is none that the protocol knows.
    """

    def speak() -> Any:
        connection.send_command(*words)
        return connection.read_response()

    return spoken(speak, refusals.InvalidResponse)


def connect(connection: Any) -> None:
    """Have a connection of the library's connect. Raises as `exchange`."""
    spoken(connection.connect, refusals.InvalidResponse)


def opened(make: Callable[[], Any], *words: Any) -> tuple[Any, Any]:
    """Connect, and ask a first question, if there is one.

    A process that was stopped meanwhile connects once more: the server gets the time that it was not given.

    Args:
        make: Makes a connection of the library's, with its time limit.
        words: A command.

    Returns:
        The connection, and the reply.

    Raises:
        RedisError, OSError, Unreadable: As `exchange`, and the connection is closed.
    """
    stopped = False
    while True:
        connection = make()
        try:
            connect(connection)
            return connection, exchange(connection, *words) if words else None
        except (refusals.RedisError, OSError, Unreadable):
            with contextlib.suppress(Exception):
                connection.disconnect()
            if stopped or time.monotonic() < connection.limit.until + _SLEPT:
                raise
        stopped = True


def new_connection(address: Address, node: Node, seconds: float, *, of_sentinel: bool = False) -> Any:
    """A connection of the library's, which does not connect yet.

    Args:
        address: Whose settings it has.
        node: Where to.
        seconds: How long connecting may take, from now on: TCP, TLS and the sign-in, and what a sentinel is asked.
        of_sentinel: Whether the node is a sentinel, which has no database and may have a user of its own.
    """
    settings: dict[str, Any] = {
        "host": node[0],
        "port": node[1],
        "db": 0 if of_sentinel else address.database,
        "username": address.options.get("sentinel_user") if of_sentinel else address.user,
        "password": address.options.get("sentinel_password") if of_sentinel else address.password,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
    }
    if not address.encrypted:
        return _Plain(seconds, **settings)
    files: dict[str, Any] = {name: address.options[name] for name in FILES if name in address.options}
    return _Encrypted(seconds, **settings, **files, ssl_cert_reqs="required", ssl_check_hostname=True)


class _Socket:
    """A connected socket as the library uses it, each of whose calls ends at the limit.

    Args:
        connected: The socket, plain or of TLS.
        limit: The connection's.
    """

    def __init__(self, connected: Any, limit: Limit) -> None:
        self._connected = connected
        self._limit = limit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connected, name)

    def recv(self, *given: Any) -> bytes:
        """See `socket.socket.recv`."""
        self._connected.settimeout(self._limit.left())
        received: bytes = self._connected.recv(*given)
        return received

    def recv_into(self, *given: Any) -> int:
        """See `socket.socket.recv_into`, by which the library's parser in C reads."""
        self._connected.settimeout(self._limit.left())
        return int(self._connected.recv_into(*given))

    def sendall(self, data: bytes) -> None:
        """See `socket.socket.sendall`, whose limit over TLS is one for each piece."""
        rest = memoryview(data)
        while rest:
            self._connected.settimeout(self._limit.left())
            rest = rest[self._connected.send(rest) :]


if MISSING is None:

    class _Limited:
        """Has the library take its times from a limit.

        Args:
            seconds: How long connecting may take, from now on.
            settings: The library's.

        Attributes:
            limit: When to give up.
        """

        def __init__(self, seconds: float, **settings: Any) -> None:
            self.limit = Limit(time.monotonic() + seconds)
            super().__init__(**settings)

        @property
        def socket_connect_timeout(self) -> float:
            """For TCP, at each address of the host."""
            return self.limit.left()

        @socket_connect_timeout.setter
        def socket_connect_timeout(self, seconds: object) -> None:
            """The library's default does not hold."""

        @property
        def socket_timeout(self) -> float:
            """For TLS, whose handshake Python bounds as a whole."""
            return self.limit.left()

        @socket_timeout.setter
        def socket_timeout(self, seconds: object) -> None:
            """The library's default does not hold."""

        def _connect(self) -> _Socket:
            return _Socket(super()._connect(), self.limit)  # type: ignore[misc]

    class _Plain(_Limited, wire.Connection):  # type: ignore[misc]  # its times are what is left
        """By TCP alone."""

    class _Encrypted(_Limited, wire.SSLConnection):  # type: ignore[misc]  # as above
        """By TLS."""
