"""Connecting in a thread of its own, which is left behind if it takes too long: a look-up of a name cannot be ended."""

import _thread
import contextlib
import contextvars
import socket
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection


class Attempt:
    """One attempt to connect, which may be abandoned.

    Args:
        connection: The connection.
        connect: Connects it.

    Attributes:
        ended: Set as it has succeeded or failed.
    """

    def __init__(self, connection: "HTTPConnection", connect: Callable[[], None]) -> None:
        self.ended = threading.Event()
        self._connection = connection
        self._connect = connect
        self._guard = threading.Lock()
        self._abandoned = False
        self._error: BaseException | None = None

    def run(self) -> None:
        """Connect; closes what has been abandoned meanwhile."""
        try:
            self._connect()
        except BaseException as error:  # noqa: BLE001 - raised by `result`
            self._error = error
        with self._guard:
            if self._abandoned:
                self._connection.close()
            self.ended.set()

    def abandon(self) -> None:
        """Wait for it no longer. What it waits for from a proxy, which may drip without end, ends as well."""
        with self._guard:
            self._abandoned = True
            if self.ended.is_set():
                self._connection.close()
            elif (open_socket := self._connection.sock) is not None:
                shut_down(open_socket)  # does nothing where TLS has taken it over, which bounds its handshake

    def result(self) -> None:
        """Raise what it has ended with, if it has failed."""
        error, self._error = self._error, None
        if error is not None:
            raise error


def shut_down(open_socket: Any) -> None:
    """End each wait for a socket's bytes, in whatever thread. What has arrived can still be read."""
    # TLS within the TLS of a proxy (urllib3's SSLTransport) is no socket, and has one.
    below = getattr(open_socket, "socket", open_socket)
    with contextlib.suppress(OSError):
        # Not the method of a TLS socket: that one forgets the keys, without which what has arrived cannot be read.
        socket.socket.shutdown(below, socket.SHUT_RDWR)


def start(work: Callable[[], None]) -> bool:
    """Run work in a thread. Returns whether that is possible: not where an interpreter exits, or at a limit."""
    # Not one of `threading`'s: the code that waits for this exchange may have interrupted the start of a thread, and
    # then has the lock that each of those needs. In this context: code in there is a part of the work, too.
    if sys.is_finalizing():
        return False  # it would start, and never run
    try:
        _thread.start_new_thread(contextvars.copy_context().run, (work,))
    except RuntimeError:
        return False
    return True
