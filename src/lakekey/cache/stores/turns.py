"""One connection to a store for all threads of a process, and none while no thread has anything to ask.

Where hundreds of clients share a server of twenty connections, each process may have one of them, and only while it
uses it. A thread that is done hands its connection to the next one that waits, and hangs up if there is none.

A signal handler or a finalizer may strike at any instruction of an operation; it may raise, and it may ask in turn.

- It must not wait for what lies under it. So it has a connection of its own wherever the thread has the lock, which the
  lock itself tells: from the moment it is taken to the one in which it is released, no code can strike in between.
- An operation that it cuts off may have left half an answer in its connection, which is handed on to no other thread.
- The lock is released by a single call into C, which nothing stands before that could be cut off. A ``with`` statement
  of Python code cannot promise that: a handler may raise as its ``__exit__`` begins.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from lakekey._inside_work import holding

_PATIENCE = 10.0  # seconds


class Connection(Protocol):
    """A connection that waits for the next thread."""

    @property
    def closed(self) -> bool:
        """Whether it can no longer be used."""

    def close(self) -> None:
        """Hang up."""


C = TypeVar("C", bound=Connection)
T = TypeVar("T")


class Turns(Generic[C]):
    """Lets one thread at a time use a process's connection.

    Args:
        patience: Seconds that a thread waits for its turn; then it has a connection of its own.
    """

    def __init__(self, *, patience: float = _PATIENCE) -> None:
        self._patience = patience
        self._line: _Line[C] = _Line()

    def turn(self, connect: Callable[[], C], operation: Callable[[C], T]) -> T:
        """Have one operation done on a connection.

        Args:
            connect: Makes one where none was handed on.
            operation: Asks on it. It closes a connection that is not to be used again.

        Returns:
            What the operation returns.
        """
        line = self._lines()
        if line.is_mine():  # this code strikes in an operation, or as one begins or ends
            return _alone(connect, operation)
        connection: C | None = None
        try:
            line.waiting += 1
            try:
                has_come = line.lock.acquire(timeout=self._patience)
            finally:
                line.waiting -= 1
            if has_come:
                connection, line.connection = line.connection, None
            with holding():
                if connection is None or connection.closed:
                    connection = connect()
                result = operation(connection)
            if has_come and line.waiting and not connection.closed:
                connection, line.connection = None, connection
            return result
        finally:
            try:
                if connection is not None:
                    connection.close()
            finally:
                try:  # noqa: SIM105 - not by `suppress`, whose calls could be cut off
                    line.lock.release()
                except RuntimeError:  # its turn has not come
                    pass
                line.hang_up()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Operations within it follow each other on one connection; not for a block that waits for anything else."""
        line = self._lines()
        line.waiting += 1
        try:
            yield
        finally:
            line.waiting -= 1
            line.hang_up()

    def _lines(self) -> "_Line[C]":
        """This process's line: a forked child has the parent's connection, and uses it for nothing."""
        line = self._line
        if line.pid != os.getpid():
            line = self._line = _Line()
        return line


class _Line(Generic[C]):
    """The threads of one process that ask, and what they hand on.

    Attributes:
        pid: The process.
        lock: Of the thread whose turn it is. It tells whose it is, at any instruction.
        waiting: How many wait for their turn, or will ask again soon.
        connection: What was handed on, and is not in use.
    """

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock: Any = threading.RLock()
        self.waiting = 0
        self.connection: C | None = None

    def is_mine(self) -> bool:
        """Whether it is the calling thread's turn."""
        return bool(self.lock._is_owned())  # noqa: SLF001 - there is no other way to ask

    def hang_up(self) -> None:
        """Close what was handed on if no thread waits for it any more. A thread whose turn it is does so itself.

        Not in a forked child: hanging up tells the server that the parent's session is over.
        """
        if self.connection is None or self.waiting or self.is_mine() or self.pid != os.getpid():
            return
        connection: C | None = None
        try:
            if self.lock.acquire(blocking=False) and not self.waiting:
                connection, self.connection = self.connection, None
        finally:
            try:  # noqa: SIM105 - as in `turn`
                self.lock.release()
            except RuntimeError:  # it is another thread's turn
                pass
        if connection is not None:
            connection.close()


def _alone(connect: Callable[[], C], operation: Callable[[C], T]) -> T:
    with contextlib.closing(connect()) as connection:
        return operation(connection)
