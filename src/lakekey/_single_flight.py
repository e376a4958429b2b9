"""Single flight within a process: one thread does the work, and every other caller waits for its result.

The work runs in a thread of its own, so nothing that happens to the callers (Ctrl-C, a SIGTERM whose handler raises, a
cancelled task, the end of a daemon thread) cuts an exchange off between the request and the durable write; see
`lakekey._commitment`. Where no thread can start, or the new thread cannot get started because of a lock that lies under
the caller, a caller does the work itself and holds signals back while something is sent.

Foreign code runs in every thread, at any instruction: finalizers, signal handlers, logging handlers, import hooks.
Three rules keep the work from waiting for itself:

- Inside the work no other work is waited for: `Busy` is raised at once.
- The work calls nothing of the program. What it has to report waits (`lakekey._inside_work`), and a caller reports it.
- A caller waits for no longer than its patience, and not at all with a lock in hand that the work may need: Python's
  (`lakekey._imports`, `lakekey._renewal_imports`), or one of ours (`as_work`, `holding`).

Callers share no lock here: what they share is changed by single operations that the interpreter makes atomic, and each
waits on a lock of its own. So a signal handler that raises leaves nothing locked.
"""

import contextlib
import copy
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Generic, TypeVar

from lakekey import _held_records
from lakekey._commitment import Cancelled, Commitment, locked, unlock
from lakekey._imports import holds_a_lock
from lakekey._inside_work import LOGGERS, Work, inside, is_holding, under_way
from lakekey._renewal_imports import cannot_wait
from lakekey.errors import LakekeyError

__all__ = ["Busy", "Cancelled", "Commitment", "Flights", "Overdue", "Waiter", "on"]

T = TypeVar("T")
_SLICE = 0.25  # seconds between two looks of a waiter; a thread that has not begun by then does not get started


class Busy(Exception):
    """The work cannot be waited for here: the caller runs inside it, holds what it may need, or is the last to run."""


class Overdue(Exception):
    """The work did not end within the caller's patience."""


class Waiter:
    """One caller's wait, which may be cancelled from another thread."""

    def __init__(self) -> None:
        self.cancelled = False
        self.lock = locked()
        self.commitment: Commitment | None = None
        self.others: set[Waiter] = set()

    def cancel(self) -> None:
        """Stop waiting; the last waiter to stop cancels the work, if nothing was sent."""
        self.cancelled = True
        self.others.discard(self)
        if not self.others and self.commitment is not None:
            self.commitment.cancel()
        unlock(self.lock)


_waiter: ContextVar[Waiter | None] = ContextVar("lakekey_waiter", default=None)


@contextlib.contextmanager
def on(waiter: Waiter) -> Iterator[None]:
    """Within it, and in threads that are given its context, a call that waits does so as this waiter."""
    token = _waiter.set(waiter)
    try:
        yield
    finally:
        # A coroutine that was never finished is closed in another context than it began in, which has its own waiter.
        with contextlib.suppress(ValueError):
            _waiter.reset(token)


class _Flight(Work, Generic[T]):
    def __init__(self, starter: Waiter, work: Callable[[Commitment], T]) -> None:
        super().__init__()
        self.starter = starter
        self.work = work
        self.commitment = Commitment()
        self.waiters = {starter}
        self.result: T | None = None
        self.error: BaseException | None = None
        self._worker: dict[str, object] = {}

    def claim(self, worker: object) -> bool:
        """Whether the work is this worker's, because it was the first to claim it."""
        return self._worker.setdefault("is", worker) is worker

    @property
    def worker(self) -> object:
        """The thread's mark, or the waiter that does the work itself; ``None`` until it is claimed."""
        return self._worker.get("is")

    def do(self) -> None:
        token = under_way.set(self)
        try:
            self.result = self.work(self.commitment)
        except (LakekeyError, Cancelled) as error:
            self.error = error
        except BaseException as error:
            if isinstance(self.worker, Waiter):
                self.error = Cancelled()  # an interruption is for its own thread only: the others start again
                raise
            self.error = error
        finally:
            under_way.reset(token)

    def outcome(self) -> T:
        if self.error is not None:
            raise copy.copy(self.error)  # each caller's traceback is its own
        return self.result  # type: ignore[return-value]


class Flights(Generic[T]):
    """The work under way in this process, by key.

    Args:
        grace: Seconds that cancelled work has to tidy up before its caller goes on.
    """

    def __init__(self, grace: float = 0.5) -> None:
        self._grace = grace
        self._running: dict[str, _Flight[T]] = {}
        if hasattr(os, "register_at_fork"):
            # A forked child has the parent's flights but not the threads that do the work.
            os.register_at_fork(after_in_child=self._running.clear)

    def run(self, key: str, work: Callable[[Commitment], T], *, patience: float) -> T:
        """Get the result of the work for ``key``: of what is running, or of what this call starts.

        An exception of the caller's own, such as ``KeyboardInterrupt``, takes effect at once while nothing has been
        sent, and otherwise as soon as the answer is stored.

        Args:
            key: What is wanted; equal keys share the work.
            work: Does it. It calls ``commit`` before it sends anything that must not be lost.
            patience: Seconds that this caller waits.

        Raises:
            Busy: It cannot be waited for here.
            Overdue: It did not end in time.
            Cancelled: The caller's wait was cancelled.
        """
        if inside() or cannot_wait() or sys.is_finalizing():  # at its very end, no thread runs any more
            raise Busy
        burdened = holds_a_lock() or is_holding()
        waiter = _waiter.get() or Waiter()
        until = time.monotonic() + patience
        while True:
            waiter.lock = locked()
            if waiter.cancelled:  # looked at after the lock was made: a later cancellation opens this one
                raise Cancelled
            flight = mine = _Flight[T](waiter, work)
            try:
                flight = self._running.setdefault(key, mine)
                flight.waiters.add(waiter)
                waiter.others, waiter.commitment = flight.waiters, flight.commitment
                if burdened:
                    self._do_here(key, flight, waiter)
                elif flight is mine:
                    self._start(key, flight)
                finished = self._wait(key, flight, waiter, until, burdened=burdened)
            except (Busy, Overdue):
                # What was sent goes on without this caller, and the work's own thread stores it.
                waiter.others.discard(waiter)
                flight.report_late()
                raise
            except BaseException:
                self._leave(key, flight, waiter)
                raise
            if not finished:
                waiter.cancel()  # once more, now that it is among the waiters
                continue
            flight.report()
            flight.waiters.discard(waiter)
            if not isinstance(flight.error, Cancelled):
                return flight.outcome()
            # The last waiter left just as this one came: start again.

    def _wait(self, key: str, flight: _Flight[T], waiter: Waiter, until: float, *, burdened: bool) -> bool:
        """Wait for the end, and make the work's reports meanwhile. Returns whether it ended; else it was cancelled."""
        while not flight.finished.wait(0 if burdened else _SLICE, waiter.lock):
            if waiter.cancelled:
                return False
            if burdened:
                raise Busy
            flight.report()
            if flight.worker is None:
                # Its starter lies under this very call (a signal handler's, a finalizer's), or its thread needs a lock
                # that does.
                self._do_here(key, flight, waiter)
            elif time.monotonic() > until:
                raise Overdue
        return True

    def _start(self, key: str, flight: _Flight[T]) -> None:
        try:
            threading.Thread(target=self._work, args=(key, flight), name="lakekey-exchange", daemon=True).start()
        except RuntimeError:  # no room for a thread, or (since 3.12) the interpreter is exiting
            self._do_here(key, flight, flight.starter)

    def _work(self, key: str, flight: _Flight[T]) -> None:
        # For good, and before the claim: code that asks from here on does not wait for this thread.
        under_way.set(flight)
        if not flight.claim(object()):
            return
        try:
            _held_records.hold_back(LOGGERS)
            flight.do()
        finally:
            self._finish(key, flight)
        if not flight.waiters:
            flight.report()

    def _do_here(self, key: str, flight: _Flight[T], waiter: Waiter) -> None:
        # From here to the end, so that a handler that asks in between does not wait for us.
        token = under_way.set(flight)
        try:
            if not flight.claim(waiter):
                return
            try:
                flight.commitment.holds_signals = threading.current_thread() is threading.main_thread()
                flight.do()
            finally:
                self._finish(key, flight)
        finally:
            under_way.reset(token)

    def _finish(self, key: str, flight: _Flight[T]) -> None:
        if self._running.get(key) is flight:
            self._running.pop(key, None)
        try:
            flight.commitment.settled()
        finally:
            flight.finished.open()

    def _leave(self, key: str, flight: _Flight[T], waiter: Waiter) -> None:
        """Let what was sent be stored, or cancel it. Raises what interrupts this in turn, at its end."""
        flight.waiters.discard(waiter)
        alone = not flight.waiters
        if alone:
            flight.commitment.cancel()
        begun_here = waiter in (flight.starter, flight.worker)
        if begun_here and not flight.finished.is_open and flight.claim(waiter):
            # The interruption came before the work had begun. The other waiters start again.
            flight.error = Cancelled()
            self._finish(key, flight)
        later = flight.commitment.see_through(flight.finished)
        if later is not None:
            raise later
        if alone:
            # Cancelled: time to tidy up, such as to note for other processes that the sign-in was given up.
            with contextlib.suppress(KeyboardInterrupt):
                flight.finished.wait(self._grace)
            flight.report()
