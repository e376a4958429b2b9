"""Whether work may still be cancelled, and the promise that what was sent is stored.

From the moment that work commits itself, neither an interruption nor the interpreter's exit ends it before the answer
is stored: with single-use refresh tokens an answer thrown away is a session lost. Until then nothing holds it back: a
program that ends does not wait for a lock, or for a person at a browser.
"""

import atexit
import contextlib
import os
import sys
import threading
import time

from lakekey._held_signals import HeldSignals

# Seconds after which an answer is given up, whatever the thread that waits for it says: longer than an exchange takes
# (`lakekey.session.timing.Timing.exchange_deadline`), and its write to a store that is away for a moment
# (`lakekey.session.saving`), with the last attempt's own time.
LONGEST = 90.0


class Cancelled(Exception):
    """The last caller left before anything was sent, so nothing was."""


class Latch:
    """Opens once. An event, but for one thing: an interrupted waiter of `threading.Event` may leave its lock taken."""

    def __init__(self) -> None:
        self.is_open = False
        self._locks: set[threading.Lock] = set()

    def open(self) -> None:
        self.is_open = True
        for lock in list(self._locks):
            unlock(lock)

    def wait(self, timeout: float = -1, lock: "threading.Lock | None" = None) -> bool:
        """Wait, at most for so many seconds, or until the lock is opened. Returns whether the latch is open."""
        lock = lock or locked()
        self._locks.add(lock)
        try:
            if not self.is_open:  # looked at after the lock was added: what opens it later sees the lock
                lock.acquire(timeout=timeout)
        finally:
            self._locks.discard(lock)
        return self.is_open


def locked() -> threading.Lock:
    """A lock that is taken, to wait on."""
    lock = threading.Lock()
    lock.acquire()
    return lock


def unlock(lock: threading.Lock) -> None:
    """Open a lock that is waited on."""
    with contextlib.suppress(RuntimeError):  # it is open already
        lock.release()


class Commitment:
    """Whether work may still be cancelled. Once it has committed itself, it may not.

    Args:
        longest: Seconds after which an answer is given up.

    Attributes:
        holds_signals: Whether the work is done in the main thread itself, so that signal handlers wait while it is
            committed.
    """

    def __init__(self, longest: float = LONGEST) -> None:
        self._longest = longest
        self.holds_signals = False
        self._is_cancel_requested = False
        self._cancelled = Latch()
        self._decision: dict[str, bool] = {}  # the first of `commit` and `cancel` decides, in one atomic operation
        self._sent: Latch | None = None
        self._until = 0.0
        self._signals: HeldSignals | None = None

    def commit(self) -> None:
        """From here on the work is completed; called right before a request that spends a token is sent.

        Raises:
            Cancelled: It was cancelled already.
        """
        if self._sent is not None:
            return
        signals = None
        if self.holds_signals:
            signals = HeldSignals()
            signals.hold()
        sent = Latch()
        self._until = time.monotonic() + self._longest
        _in_the_air.add(sent)
        if self._is_cancel_requested or not self._decision.setdefault("sent", True):
            _in_the_air.discard(sent)
            if signals is not None:
                signals.release()
            raise Cancelled
        self._sent, self._signals = sent, signals
        # The interpreter waits for threads that are not daemons.
        keeper = threading.Thread(target=sent.wait, args=(self._longest,), name="lakekey-keeper", daemon=False)
        if sys.is_finalizing():
            return  # it would never run
        with contextlib.suppress(RuntimeError):  # no thread can start: `_see_through` holds the exit back
            keeper.start()

    def settled(self) -> None:
        """What was sent has been dealt with: from here on the work may be cancelled again, and signals arrive.

        Raises:
            BaseException: What the handler of a signal raises that was held back.
        """
        sent, self._sent = self._sent, None
        signals, self._signals = self._signals, None
        self._decision = {}
        if sent is not None:
            _in_the_air.discard(sent)
            sent.open()
        if self._is_cancel_requested:
            self.cancel()
        if signals is not None:
            signals.release()

    @property
    def committed(self) -> bool:
        """Whether something was sent whose answer is not stored yet."""
        return self._decision.get("sent", False)

    def cancel(self) -> None:
        """Cancel the work: at once, or after what is under way was dealt with. It sends nothing from then on."""
        self._is_cancel_requested = True
        if not self._decision.setdefault("sent", False):
            self._cancelled.open()

    def pause(self, seconds: float) -> None:
        """Sleep, but not past its cancellation.

        Raises:
            Cancelled: It was cancelled.
        """
        if self._cancelled.wait(seconds):
            raise Cancelled

    def see_through(self, finished: Latch) -> BaseException | None:
        """Wait until what was sent is stored. A second Ctrl-C does not change what the server has done.

        Returns:
            What came meanwhile other than Ctrl-C: a SIGTERM must not be lost behind the Ctrl-C that is held back.
        """
        later: BaseException | None = None
        while True:
            try:
                while self.committed and not finished.is_open and time.monotonic() < self._until:
                    finished.wait(0.05)
                break
            except KeyboardInterrupt:
                continue
            except BaseException as interruption:  # noqa: BLE001 - raised when the wait is over
                later = interruption
        return later


_in_the_air: set[Latch] = set()


def _see_through(longest: float = LONGEST) -> None:
    """Hold the exit back while something is sent.

    The interpreter waits for the keepers before it comes here; but a Ctrl-C ends that wait, and a user who presses it
    while a program seems to hang at its end must not lose the session by it.
    """
    until = time.monotonic() + longest
    while True:
        try:  # around the loop: a Ctrl-C may strike between any two of its steps
            while _in_the_air and time.monotonic() < until:
                next(iter(_in_the_air)).wait(0.05)
        except BaseException:  # noqa: BLE001, S112
            continue
        return


atexit.register(_see_through)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_the_air.clear)  # the parent completes what it has sent
