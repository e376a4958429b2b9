"""A bound on a whole HTTP exchange: name resolution, connection, handshake, headers and body.

A timeout of the HTTP library bounds each wait for bytes, so a server that drips one byte at a time holds its caller
for ever, and with it the lock of an entry. Looking a name up has no timeout at all. Here one deadline covers them all.

A deadline ends a wait; it does not discard. `time.monotonic` goes on while a process is stopped (Ctrl-Z, a debugger, a
frozen container), and the answer may lie in the kernel's buffer when the process is woken, however late. So the
connection is shut down at the deadline only if there is nothing left to read from it. A process that was stopped before
its request was out, which is committed to by then, is given the time of a drain for the answer.
"""

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple, Protocol

from lakekey._imports import libraries
from lakekey.oauth.connecting import Attempt, shut_down, start

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection

_STEP = 0.05  # seconds between two looks at whether a wait is over
_STOPPED = 1.0  # seconds by which a busy machine does not wake a thread too late


class Limits(NamedTuple):
    """Seconds for one exchange. Handed in where a test cannot wait as long.

    Attributes:
        connect: For the TCP connection.
        read: What the answer may take beyond that, where no deadline is given.
        drain: After the deadline, in which what has arrived may be read; it bounds a server that floods.
    """

    connect: float = 10.0
    read: float = 30.0
    drain: float = 5.0


USUAL = Limits()


class Commitment(Protocol):
    """Lets work be cancelled until it commits itself."""

    def pause(self, seconds: float) -> None:
        """Sleep, and raise as soon as the work is cancelled. 0 only asks whether it is."""

    def commit(self) -> None:
        """From here on the work is completed. Raises if it was cancelled."""

    def settled(self) -> None:
        """What was sent has been dealt with; the work may be cancelled again."""


class _Context(NamedTuple):
    deadline: float = float("inf")
    commitment: Commitment | None = None


_UNBOUND = _Context()
_context: ContextVar[_Context] = ContextVar("lakekey_deadline", default=_UNBOUND)
_watch: ContextVar["Watch"] = ContextVar("lakekey_watch")


@contextlib.contextmanager
def within(deadline: float) -> Iterator[None]:
    """Bound everything that is sent in this context: finding the server as well as asking it.

    Args:
        deadline: When to give up, by `time.monotonic`.
    """
    now = _context.get()
    token = _context.set(now._replace(deadline=min(deadline, now.deadline)))
    try:
        yield
    finally:
        _context.reset(token)


@contextlib.contextmanager
def committing(commitment: Commitment) -> Iterator[None]:
    """Commit the work when a request of this context is about to be sent, and not before.

    Until the connection is made (the name looked up, TCP and TLS set up), nothing is spent: the work can be called
    off, and the wait for the connection ends when it is. Right before the first byte of the request, ``commit`` is
    called.

    Args:
        commitment: The work's.
    """
    token = _context.set(_context.get()._replace(commitment=commitment))
    try:
        yield
    finally:
        _context.reset(token)


def earliest(deadline: float) -> float:
    """The deadline itself, or the one of the context if that comes first."""
    return min(deadline, _context.get().deadline)


class Watch:
    """Ends one exchange at its deadline.

    Args:
        deadline: When to give up, by `time.monotonic`.
        drain: Seconds after it in which what has arrived may be read.

    Attributes:
        over: Whether the deadline has passed before the exchange was done.
        reuses: Whether the request went out on a connection that an earlier exchange had left.
    """

    def __init__(self, deadline: float, drain: float = USUAL.drain) -> None:
        self.over = False
        self.reuses = False
        self._deadline = deadline
        self._drain = drain
        self._done = threading.Event()
        # A connection lets go of its socket when the end of the answer is the end of the connection (RFC 9112 §6.3).
        self._sockets: list[socket.socket] = []
        self._commitment = _context.get().commitment
        self._runs = start(self._watch)

    def stop(self) -> None:
        """The exchange is done."""
        self._done.set()

    @property
    def read_timeout(self) -> float | None:
        """Seconds that the HTTP library may wait for bytes; ``None``: without end, since the watch ends it.

        Its own timeout could strike first in a process that was stopped, and would then discard what has arrived.
        """
        left = max(self._deadline - time.monotonic(), 0.001)
        if self._runs:
            # On Windows, a shutdown does not reliably wake what waits for bytes.
            return left + self._drain if sys.platform == "win32" else None
        return left

    @property
    def piece(self) -> int:
        """Bytes of the answer to read at a time; the library waits for all of them before it returns."""
        return 16384 if self._runs else 1

    def progress(self) -> None:
        """Called after each piece of the answer: where no watch runs, go on only with what has arrived."""
        if not self._runs and time.monotonic() > self._deadline:
            self.over = True
            for open_socket in self._sockets:
                with contextlib.suppress(OSError):
                    open_socket.settimeout(0.001)  # not 0, by which the library would take no bytes for the end

    def connect(self, connection: "HTTPConnection", connect: Callable[[], None]) -> None:
        """Connect before the deadline, and commit.

        Args:
            connection: The connection.
            connect: Connects it. It runs in a thread of its own, which is left behind if it takes too long: looking up
                a name cannot be interrupted.

        Raises:
            TimeoutError: The deadline has passed.
        """
        attempt = Attempt(connection, connect)
        if start(attempt.run):
            self._wait(attempt)
        else:
            attempt.run()
        attempt.result()
        self._sockets.append(connection.sock)
        self._check()  # the caller does not wait any more for the answer to what would be sent now
        if self._commitment is not None:
            self._commitment.commit()

    def use(self, connection: "HTTPConnection") -> None:
        """Send on a connection; one that an earlier exchange has made is bounded, and committed to, here.

        Raises:
            TimeoutError: The deadline has passed.
            ConnectionResetError: It cannot be used again.
        """
        if connection.sock is None or connection.sock in self._sockets:
            return
        self._check()
        self.reuses = True
        if getattr(connection.sock, "pending", int)():
            # What came unasked would be taken for this request's answer. The library looks at the socket only, and
            # not at what TLS has decrypted already.
            raise ConnectionResetError("the server sent more than its answer")
        self._sockets.append(connection.sock)
        if self._commitment is not None:
            self._commitment.commit()

    def _check(self) -> None:
        if time.monotonic() > self._deadline:
            raise TimeoutError("the deadline has passed")

    def _wait(self, attempt: Attempt) -> None:
        try:
            while not attempt.ended.wait(min(_STEP, max(self._deadline - time.monotonic(), 0.001))):
                if self._commitment is not None:
                    self._commitment.pause(0.0)
                self._check()
        except BaseException:
            attempt.abandon()
            raise

    def _watch(self) -> None:
        if self._done.wait(max(self._deadline - time.monotonic(), 0.0)):
            return
        self.over = True
        woken = time.monotonic()
        # It may have been stopped before it sent anything, so that the answer is still on its way.
        was_stopped, last = woken - self._deadline > _STOPPED, woken + self._drain
        # The first wait lets a reader go on that was stopped and woken together with this thread.
        while not self._done.wait(_STEP):
            if time.monotonic() > last or not (was_stopped or _readable(self._sockets)):
                self._shut_down()
                return

    def _shut_down(self) -> None:
        for open_socket in self._sockets:
            shut_down(open_socket)


@contextlib.contextmanager
def enforced(deadline: float, *, drain: float = USUAL.drain) -> Iterator[Watch]:
    """Bound what this thread sends and receives by connections of `lakekey.oauth.connections`.

    Args:
        deadline: When to give up, by `time.monotonic`.
        drain: Seconds after it in which what has arrived may be read.
    """
    watch = Watch(deadline, drain)
    token = _watch.set(watch)
    try:
        yield watch
    finally:
        _watch.reset(token)
        watch.stop()


def watch_of_this_exchange() -> Watch:
    """The watch of the innermost exchange that this thread is in."""
    return _watch.get()


def _readable(sockets: list[socket.socket]) -> bool:
    with libraries():
        from urllib3.util import wait_for_read

    for open_socket in sockets:
        with contextlib.suppress(OSError, ValueError):  # it is closed
            if wait_for_read(open_socket, timeout=0.0):
                return True
    return False
