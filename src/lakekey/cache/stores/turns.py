"""One connection to a store for all threads of a process, and none while no thread has anything to ask.

Where hundreds of clients share a server of twenty connections, each process may have one of them, and only while it
uses it. A thread that is done hands its connection to the next one that waits, and hangs up if there is none.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from lakekey import _single_flight

_PATIENCE = 10.0  # seconds; then a thread has a connection of its own


class Connection(Protocol):
    """What is handed on."""

    @property
    def closed(self) -> bool:
        """Whether it can no longer be used."""

    def close(self) -> None:
        """Hang up."""


C = TypeVar("C", bound=Connection)


class Turns(Generic[C]):
    """Lets one thread at a time use a process's connection."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock: Any = threading.RLock()  # which tells whose it is, at any instruction
        self._used = False  # by the thread that has the lock
        self._waiting = 0
        self._connection: C | None = None

    @contextlib.contextmanager
    def turn(self, connect: Callable[[], C]) -> Iterator[C]:
        """A connection for one operation.

        Args:
            connect: Makes one where none was handed on.
        """
        if self._pid != os.getpid():
            self._begin()  # a forked child has the parent's connection, and uses it for nothing
        if self._is_mine() and self._used:
            # A signal handler or a finalizer that strikes in an operation must not wait for what lies under it.
            with contextlib.closing(connect()) as another:
                yield another
            return
        connection: C | None = None
        entered = False
        try:
            if self._is_mine() or self._enter():  # ours already if an interruption struck as an operation ended
                entered = self._used = True
                connection = self._connection
            with _single_flight.holding():
                if connection is None or connection.closed:
                    connection = connect()
                yield connection
        finally:
            if entered:
                self._used = False  # first, and without a call: what strikes from here on leaves it to the next turn
            mine = self._is_mine()  # also if an interruption struck as it was entered
            keep = mine and self._waiting > 0 and connection is not None and not connection.closed
            if mine:
                self._connection = connection if keep else None
            if connection is not None and not keep:
                connection.close()
            if mine:
                self._lock.release()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Operations within it follow each other on one connection; not for a block that waits for anything else."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._is_mine() and self._waiting == 0 and self._lock.acquire(blocking=False):
                connection, self._connection = self._connection, None
                self._lock.release()
                if connection is not None:
                    connection.close()

    def _enter(self) -> bool:
        """Wait for one's turn. Returns whether it came."""
        self._waiting += 1
        try:
            return bool(self._lock.acquire(timeout=_PATIENCE))
        finally:
            self._waiting -= 1

    def _is_mine(self) -> bool:
        return bool(self._lock._is_owned())  # noqa: SLF001 - there is no other way to ask
