"""Single flight within a process: one thread does the work, and every other caller waits for its result.

The work runs in a thread of its own, so nothing that happens to the callers (Ctrl-C, a SIGTERM whose handler raises, a
cancelled task, the end of a daemon thread) cuts an exchange off between the request and the durable write; see
`lakekey._commitment`. Where no thread can start, or the new thread cannot get started because of a lock that lies under
the caller, a caller does the work itself and holds signals back while something is sent.

Foreign code runs in every thread, at any instruction: finalizers, signal handlers, logging handlers, import hooks.
Three rules keep the work from waiting for itself:

- Inside the work no other work is waited for: `Busy` is raised at once.
- The work calls nothing of the program. What it has to report waits in the flight (`later`), and a caller reports it.
- A caller waits for no longer than its patience, and not at all with a lock in hand that the work may need: Python's
  (`lakekey._imports`), one of ours that lasts (`as_work`), or one that others wait for (`holding`).

Callers share no lock here: what they share is changed by single operations that the interpreter makes atomic, and each
waits on a lock of its own. So a signal handler that raises leaves nothing locked.
"""

import contextlib
import copy
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

from lakekey import _held_records, _log
from lakekey._commitment import Commitment, Latch, Withdrawn, locked, unlock
from lakekey._imports import amid_locked_step, holds_a_lock, importing
from lakekey.errors import LakekeyError

__all__ = ["Busy", "Commitment", "Flights", "Overdue", "Waiter", "Withdrawn", "inside", "later", "on"]

T = TypeVar("T")
_GRACE = 0.5
_SLICE = 0.25  # seconds between two looks of a waiter; a thread that has not begun by then does not get started
# Python's modules that no renewal imports, though they have names that programs give to packages of their own. Only the
# name counts: it is what Python locks, whichever file is imported by it. `site` imports code of the program as Python
# starts, and of what `idlelib` imports, a program is a part.
_NEVER_IMPORTED = {
    "antigravity", "cProfile", "chunk", "cmd", "code", "crypt", "fileinput", "graphlib", "idlelib", "mailbox", "pdb",
    "pipes", "profile", "pstats", "pty", "resource", "sched", "site", "syslog", "test", "this", "trace", "turtle",
    "venv", "wave",
}  # fmt: skip
# What the work may import when its turn comes. A caller in the midst of importing one of these cannot wait for it.
_IMPORTS = sys.stdlib_module_names - _NEVER_IMPORTED | {
    "OpenSSL", "azure", "backports", "botocore", "brotli", "brotlicffi", "certifi", "chardet", "charset_normalizer",
    "cryptography", "filelock", "google", "h2", "idna", "importlib_metadata", "jaraco", "jeepney", "keyring",
    "more_itertools", "msal", "opentelemetry", "platformdirs", "psycopg", "psycopg_binary", "psycopg_c", "redis",
    "requests", "secretstorage", "simplejson", "socks", "typing_extensions", "urllib3", "zstandard",
}  # fmt: skip
_LOGGERS = (
    "charset_normalizer", "filelock", "keyring.backend", "psycopg", "psycopg.pq", "psycopg.transaction", "py.warnings",
    "redis.client", "redis.connection", "requests", "urllib3.connection", "urllib3.connectionpool",
    "urllib3.poolmanager", "urllib3.util.retry",
)  # fmt: skip


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
        """Stop waiting; the last waiter to stop withdraws the work, if nothing was sent."""
        self.cancelled = True
        self.others.discard(self)
        if not self.others and self.commitment is not None:
            self.commitment.withdraw()
        unlock(self.lock)


_waiter: ContextVar[Waiter | None] = ContextVar("lakekey_waiter", default=None)


@contextlib.contextmanager
def on(waiter: Waiter) -> Iterator[None]:
    """Within it, and in threads that are given its context, a call that waits does so as this waiter."""
    token = _waiter.set(waiter)
    try:
        yield
    finally:
        _waiter.reset(token)


class _Flight(Generic[T]):
    def __init__(self, starter: Waiter, work: Callable[[Commitment], T]) -> None:
        self.starter = starter
        self.work = work
        self.commitment = Commitment()
        self.waiters = {starter}
        self.finished = Latch()
        self.result: T | None = None
        self.error: BaseException | None = None
        self.reports: deque[Callable[[], object]] = deque()
        self._worker: dict[str, object] = {}

    def claim(self, worker: object) -> bool:
        """Whether the work is this worker's, because it was the first to claim it."""
        return self._worker.setdefault("is", worker) is worker

    @property
    def worker(self) -> object:
        """The thread's mark, or the waiter that does the work itself; ``None`` until it is claimed."""
        return self._worker.get("is")

    def do(self) -> None:
        token = _inside.set(self)
        try:
            self.result = self.work(self.commitment)
        except (LakekeyError, Withdrawn) as error:
            self.error = error
        except BaseException as error:
            if isinstance(self.worker, Waiter):
                self.error = Withdrawn()  # an interruption is for its own thread only: the others start again
                raise
            self.error = error
        finally:
            _inside.reset(token)

    def report(self) -> None:
        """Make the reports that wait here. A failing report, such as a log handler that raises, costs no token."""
        while self.reports:
            with contextlib.suppress(Exception):
                self.reports.popleft()()

    def report_late(self) -> None:
        """Make the reports of work that has ended: the last of them may have come when the others had been made."""
        if self.finished.is_open:
            self.report()

    def outcome(self) -> T:
        if self.error is not None:
            raise copy.copy(self.error)  # each caller's traceback is its own
        return self.result  # type: ignore[return-value]


_inside: ContextVar[_Flight[Any] | None] = ContextVar("lakekey_inside", default=None)


def inside() -> bool:
    """Whether the calling code runs inside work that has not ended."""
    flight = _inside.get()
    return flight is not None and not flight.finished.is_open


def later(report: Callable[[], object]) -> None:
    """Call this as soon as it can hold nothing up: at once, or from a caller's thread where this is inside the work."""
    flight = _inside.get()
    if flight is None or flight.finished.is_open:
        report()
    else:
        flight.reports.append(report)
        flight.report_late()


@contextlib.contextmanager
def as_work() -> Iterator[None]:
    """Within it, code that asks for a header is refused at once, and reports wait for its end, as inside a flight.

    For code that has a lock that a flight needs, and waits for a disk, a server or another program meanwhile.
    """
    work = _Flight(Waiter(), lambda _: None)
    token = _inside.set(work)
    try:
        _held_records.hold_back(_LOGGERS)
        yield
    finally:
        work.finished.open()
        _inside.reset(token)
        if work.reports:
            later(work.report)


_holding: ContextVar[bool] = ContextVar("lakekey_holding", default=False)


@contextlib.contextmanager
def holding() -> Iterator[None]:
    """Within it, code that asks for a header waits for no other thread, as with a lock of Python's in hand.

    For code that has a lock that other threads wait for, and that lets its owner in again. So the same thread does what
    it is asked for, unless another thread has begun it: then the code is refused.
    """
    token = _holding.set(True)
    try:
        yield
    finally:
        _holding.reset(token)


def cannot_wait() -> bool:
    """Whether the calling code must wait for no other thread of ours, and start none: they may wait for it."""
    return importing(_IMPORTS) or amid_locked_step()


class Flights(Generic[T]):
    """The work under way in this process, by key."""

    def __init__(self) -> None:
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
            Withdrawn: The caller's wait was cancelled.
        """
        if inside() or cannot_wait() or sys.is_finalizing():  # at its very end, no thread runs any more
            raise Busy
        burdened = holds_a_lock() or _holding.get()
        waiter = _waiter.get() or Waiter()
        until = time.monotonic() + patience
        while True:
            waiter.lock = locked()
            if waiter.cancelled:  # looked at after the lock was made: a later cancellation opens this one
                raise Withdrawn
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
                # What was sent goes on without this caller, and is stored: the work's own thread sees to that.
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
            if not isinstance(flight.error, Withdrawn):
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
        _inside.set(flight)  # for good, and before the claim: code that asks from here on does not wait for this thread
        if not flight.claim(object()):
            return
        try:
            _held_records.hold_back(_LOGGERS)
            flight.do()
        finally:
            self._finish(key, flight)
        if not flight.waiters:
            flight.report()

    def _do_here(self, key: str, flight: _Flight[T], waiter: Waiter) -> None:
        token = _inside.set(flight)  # from here to the end, so that a handler that asks in between does not wait for us
        try:
            if not flight.claim(waiter):
                return
            try:
                flight.commitment.holds_signals = threading.current_thread() is threading.main_thread()
                flight.do()
            finally:
                self._finish(key, flight)
        finally:
            _inside.reset(token)

    def _finish(self, key: str, flight: _Flight[T]) -> None:
        if self._running.get(key) is flight:
            self._running.pop(key, None)
        try:
            flight.commitment.release()
        finally:
            flight.finished.open()

    def _leave(self, key: str, flight: _Flight[T], waiter: Waiter) -> None:
        """Let what was sent be stored, or withdraw it. Raises what interrupts this in turn, at its end."""
        flight.waiters.discard(waiter)
        alone = not flight.waiters
        if alone:
            flight.commitment.withdraw()
        begun_here = waiter in (flight.starter, flight.worker)
        if begun_here and not flight.finished.is_open and flight.claim(waiter):
            # The interruption came before the work had begun. The other waiters start again.
            flight.error = Withdrawn()
            self._finish(key, flight)
        later = flight.commitment.see_through(flight.finished)
        if later is not None:
            raise later
        if alone:
            # Withdrawn: time to tidy up, such as to note for other processes that the sign-in was given up.
            with contextlib.suppress(KeyboardInterrupt):
                flight.finished.wait(_GRACE)
            flight.report()


_log.inside, _log.later = inside, later
