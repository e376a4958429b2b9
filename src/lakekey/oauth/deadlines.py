"""A bound on a whole HTTP exchange.

A timeout of the HTTP library bounds each wait for bytes, so a server that drips one byte at a time holds its caller
for ever, and with it the lock of an entry. Here the connection itself is shut down when the time is over, wherever
the exchange is: in the handshake, in the headers, or in the body.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from lakekey._imports import libraries

if TYPE_CHECKING:
    import requests
    from urllib3.connection import HTTPConnection


_end: ContextVar[float] = ContextVar("lakekey_deadline", default=float("inf"))


@contextlib.contextmanager
def within(deadline: float) -> Iterator[None]:
    """Bound everything that is sent in this context, whoever sends it: finding the server as well as asking it.

    Args:
        deadline: When to give up, by `time.monotonic`.
    """
    token = _end.set(min(deadline, _end.get()))
    try:
        yield
    finally:
        _end.reset(token)


def earliest(deadline: float) -> float:
    """The deadline itself, or the one of the context where that comes first."""
    return min(deadline, _end.get())


@contextlib.contextmanager
def enforced(session: "requests.Session", seconds: float) -> Iterator[None]:
    """Shut down the connections of a session when the time is over.

    Args:
        session: A session that is used for one exchange.
        seconds: How long it may take in all.
    """
    with libraries():
        from requests.adapters import HTTPAdapter
        from urllib3.connection import HTTPConnection, HTTPSConnection
        from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    connections: list[HTTPConnection] = []
    # A connection lets go of its socket when the end of the answer is the end of the connection (RFC 9112 §6.3).
    sockets: list[socket.socket] = []
    deadline = time.monotonic() + seconds

    class Watched(HTTPConnection):
        def connect(self) -> None:
            connections.append(self)
            super().connect()
            sockets.append(self.sock)
            _hang_up_late(self, deadline)

    class WatchedTls(HTTPSConnection):
        def connect(self) -> None:
            connections.append(self)
            super().connect()
            sockets.append(self.sock)
            _hang_up_late(self, deadline)

    class Pool(HTTPConnectionPool):
        ConnectionCls = Watched

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = WatchedTls

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs)
            self.poolmanager.pool_classes_by_scheme = {"http": Pool, "https": TlsPool}

        def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
            manager = super().proxy_manager_for(*args, **kwargs)
            manager.pool_classes_by_scheme = {"http": Pool, "https": TlsPool}
            return manager

    def shut_down() -> None:
        for open_socket in [*sockets, *(connection.sock for connection in connections)]:
            if open_socket is not None:
                with contextlib.suppress(OSError):
                    open_socket.shutdown(socket.SHUT_RDWR)

    for scheme in ("https://", "http://"):
        session.mount(scheme, Adapter())
    timer = threading.Timer(seconds, shut_down)
    timer.daemon = True
    # An interpreter that exits may start no more threads (3.12.0 and 3.12.1). The timeouts of the library still bound
    # each wait there, though not the sum of them.
    with contextlib.suppress(RuntimeError):
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _hang_up_late(connection: "HTTPConnection", deadline: float) -> None:
    # Looking the name up, and trying one address after another, has no bound of its own. Whoever arrives late must
    # not send: nobody waits for the answer any more.
    if time.monotonic() > deadline:
        connection.close()
        raise TimeoutError("the time is over")
