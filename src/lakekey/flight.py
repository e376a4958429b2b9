"""Single flight within a process, and work that is seen through.

All threads that want the same entry share one flight: the first starts it, the others wait for its result. The flight
runs in a thread of its own that is no daemon, so nothing that befalls the callers — Ctrl-C, a SIGTERM whose handler
raises, a cancelled task, the end of a daemon thread, the interpreter's exit — cuts an exchange off between the
request and the durable write. With single-use refresh tokens an answer thrown away is a session lost.
"""

import contextlib
import copy
import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Withdrawn(Exception):
    """The last caller left before anything was sent, so nothing was."""


class Commitment:
    """Whether a flight may still be called off. Once it has committed itself, it may not."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._committed = False
        self._withdrawn = threading.Event()

    def commit(self) -> None:
        """From here on the work is seen through; called right before a request that spends a token is sent.

        Raises:
            Withdrawn: It was called off already.
        """
        with self._guard:
            if self._withdrawn.is_set():
                raise Withdrawn
            self._committed = True

    def release(self) -> None:
        """What was sent has been dealt with: from here on the work may be called off again."""
        with self._guard:
            self._committed = False

    @property
    def committed(self) -> bool:
        """Whether something was sent whose answer is not stored yet."""
        return self._committed

    def withdraw(self) -> None:
        """Call the work off, unless it is committed."""
        with self._guard:
            if not self._committed:
                self._withdrawn.set()

    def pause(self, seconds: float) -> None:
        """Sleep, but not past a withdrawal.

        Raises:
            Withdrawn: It was called off.
        """
        if self._withdrawn.wait(seconds):
            raise Withdrawn


class _Flight(Generic[T]):
    def __init__(self, passengers: int) -> None:
        self.commitment = Commitment()
        self.passengers = passengers
        self.landed = threading.Event()
        self.result: T | None = None
        self.error: BaseException | None = None

    def fly(self, work: Callable[[Commitment], T]) -> None:
        try:
            self.result = work(self.commitment)
        except BaseException as error:  # noqa: BLE001 - handed to every caller
            self.error = error

    def outcome(self) -> T:
        if self.error is not None:
            raise copy.copy(self.error)  # each caller's traceback is its own
        return self.result  # type: ignore[return-value]


class Flights(Generic[T]):
    """The flights of this process, by key."""

    def __init__(self) -> None:
        self._reset()
        if hasattr(os, "register_at_fork"):
            # A forked child has the parent's flights but not the threads that fly them.
            os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._guard = threading.Lock()
        self._aloft: dict[str, _Flight[T]] = {}

    def run(self, key: str, work: Callable[[Commitment], T]) -> T:
        """Get the result of the flight for ``key``: of the one that is aloft, or of one that this call starts.

        An exception of the caller's own, such as ``KeyboardInterrupt``, takes effect at once while nothing has been
        sent, and otherwise as soon as the answer is stored.

        Args:
            key: What is wanted; equal keys share a flight.
            work: Does it. It calls ``commit`` before it sends anything that must not be lost.
        """
        while True:
            flight = self._board(key, work)
            try:
                flight.landed.wait()
            except BaseException:
                self._leave(flight)
                raise
            if not isinstance(flight.error, Withdrawn):
                return flight.outcome()
            # Its last passenger left just as this one boarded: start anew.

    def _board(self, key: str, work: Callable[[Commitment], T]) -> _Flight[T]:
        with self._guard:
            flight = self._aloft.get(key)
            if flight is not None:
                flight.passengers += 1
                return flight
            flight = self._aloft[key] = _Flight(passengers=1)
            started = self._start(key, flight, work)
        if not started:
            # The interpreter is exiting and starts no more threads (since 3.12): nothing can interrupt this one now.
            self._fly(key, flight, work)
        return flight

    def _start(self, key: str, flight: _Flight[T], work: Callable[[Commitment], T]) -> bool:
        thread = threading.Thread(target=self._fly, args=(key, flight, work), name="lakekey-exchange", daemon=False)
        try:
            thread.start()
        except RuntimeError:
            return False
        except BaseException:
            del self._aloft[key]
            raise
        return True

    def _fly(self, key: str, flight: _Flight[T], work: Callable[[Commitment], T]) -> None:
        try:
            flight.fly(work)
        finally:
            with self._guard:
                if self._aloft.get(key) is flight:
                    del self._aloft[key]
            flight.landed.set()

    def _leave(self, flight: _Flight[T]) -> None:
        with self._guard:
            flight.passengers -= 1
            alone = flight.passengers == 0
        if alone:
            flight.commitment.withdraw()
        # Sent: let the answer arrive and be stored. A second Ctrl-C does not change what the server has done; the
        # exchange's own deadline bounds the wait.
        while flight.commitment.committed and not flight.landed.is_set():
            with contextlib.suppress(BaseException):  # the first exception is raised when this returns
                flight.landed.wait(0.05)
