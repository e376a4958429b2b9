"""Single flight within a process, and work that is seen through.

All threads that want the same entry share one flight: the first starts it, the others wait for its result. The flight
runs in a thread of its own, so nothing that befalls the callers — Ctrl-C, a SIGTERM whose handler raises, a cancelled
task, the end of a daemon thread — cuts an exchange off between the request and the durable write. With single-use
refresh tokens an answer thrown away is a session lost.

From the moment that a flight commits itself, the interpreter does not exit before the answer is stored either. Until
then nothing holds it back: a program that ends does not wait for a lock, or for a person at a browser.

A signal handler that raises can strike the main thread between any two instructions, and one that asks for headers
itself can run at any of them. So callers share no lock here: what they share is changed by single operations that the
interpreter makes atomic, and each waits on a lock of its own.
"""

import atexit
import contextlib
import copy
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Generic, TypeVar

T = TypeVar("T")
_GRACE = 0.5


class Withdrawn(Exception):
    """The last caller left before anything was sent, so nothing was."""


class _Latch:
    """Opens once. An event, but for one thing: an interrupted waiter of `threading.Event` may leave its lock taken."""

    def __init__(self) -> None:
        self.is_open = False
        self._bolts: set[threading.Lock] = set()

    def open(self) -> None:
        self.is_open = True
        for bolt in list(self._bolts):
            _draw(bolt)

    def wait(self, timeout: float = -1, bolt: "threading.Lock | None" = None) -> bool:
        """Wait, at most for so many seconds, or until somebody draws the bolt. Returns whether it is open."""
        bolt = bolt or _bolt()
        self._bolts.add(bolt)
        try:
            if not self.is_open:  # asked after the bolt was added: whoever opens it later sees the bolt
                bolt.acquire(timeout=timeout)
        finally:
            self._bolts.discard(bolt)
        return self.is_open


def _bolt() -> threading.Lock:
    bolt = threading.Lock()
    bolt.acquire()
    return bolt


def _draw(bolt: threading.Lock) -> None:
    with contextlib.suppress(RuntimeError):  # drawn already
        bolt.release()


class Commitment:
    """Whether a flight may still be called off. Once it has committed itself, it may not."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._withdrawn = _Latch()
        self._sent: _Latch | None = None

    def commit(self) -> None:
        """From here on the work is seen through; called right before a request that spends a token is sent.

        Raises:
            Withdrawn: It was called off already.
        """
        with self._guard:
            if self._withdrawn.is_open:
                raise Withdrawn
            if self._sent is not None:
                return
            self._sent = _Latch()
            _in_the_air.add(self._sent)
        # The interpreter waits for threads that are no daemons.
        keeper = threading.Thread(target=self._sent.wait, name="lakekey-keeper", daemon=False)
        with contextlib.suppress(RuntimeError):  # it is exiting already (since 3.12): `_see_through` holds it back
            keeper.start()

    def release(self) -> None:
        """What was sent has been dealt with: from here on the work may be called off again."""
        with self._guard:
            sent, self._sent = self._sent, None
        if sent is not None:
            _in_the_air.discard(sent)
            sent.open()

    @property
    def committed(self) -> bool:
        """Whether something was sent whose answer is not stored yet."""
        return self._sent is not None

    def withdraw(self) -> None:
        """Call the work off, unless it is committed."""
        with self._guard:
            if self._sent is None:
                self._withdrawn.open()

    def pause(self, seconds: float) -> None:
        """Sleep, but not past a withdrawal.

        Raises:
            Withdrawn: It was called off.
        """
        if self._withdrawn.wait(seconds):
            raise Withdrawn


_in_the_air: set[_Latch] = set()


def _see_through() -> None:
    """Hold the exit back while something is sent.

    The interpreter waits for the keepers before it comes here; but a Ctrl-C ends that waiting, and whoever presses it
    while a program seems to hang at its end must not lose the session by it.
    """
    while True:
        try:  # around the loop: a Ctrl-C may strike between any two of its steps
            while _in_the_air:
                next(iter(_in_the_air)).wait(0.05)
        except BaseException:  # noqa: BLE001, S112
            continue
        return


atexit.register(_see_through)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_the_air.clear)  # what the parent has sent, the parent sees through


class Ticket:
    """One caller's place on a flight, which may be given up from another thread."""

    def __init__(self) -> None:
        self.left = False
        self.bolt = _bolt()
        self.commitment: Commitment | None = None
        self.fellows: set[Ticket] = set()

    def leave(self) -> None:
        """Wait no longer; the last who leaves calls the flight off, if nothing was sent."""
        self.left = True
        self.fellows.discard(self)
        if not self.fellows and self.commitment is not None:
            self.commitment.withdraw()
        _draw(self.bolt)


_ticket: ContextVar[Ticket | None] = ContextVar("lakekey_ticket", default=None)


@contextlib.contextmanager
def on(ticket: Ticket) -> Iterator[None]:
    """Within it, and in threads that are given its context, whoever waits for a flight does so on this ticket."""
    token = _ticket.set(ticket)
    try:
        yield
    finally:
        _ticket.reset(token)


class _Flight(Generic[T]):
    def __init__(self, starter: Ticket) -> None:
        self.starter = starter
        self.commitment = Commitment()
        self.passengers = {starter}
        self.landed = _Latch()
        self.result: T | None = None
        self.error: BaseException | None = None
        self._claims = itertools.count()

    def claim(self) -> bool:
        """Whether the caller is the first to ask: it flies, or calls off, a flight that nobody else will."""
        return next(self._claims) == 0

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
        self._aloft: dict[str, _Flight[T]] = {}
        if hasattr(os, "register_at_fork"):
            # A forked child has the parent's flights but not the threads that fly them.
            os.register_at_fork(after_in_child=self._aloft.clear)

    def run(self, key: str, work: Callable[[Commitment], T]) -> T:
        """Get the result of the flight for ``key``: of the one that is aloft, or of one that this call starts.

        An exception of the caller's own, such as ``KeyboardInterrupt``, takes effect at once while nothing has been
        sent, and otherwise as soon as the answer is stored.

        Args:
            key: What is wanted; equal keys share a flight.
            work: Does it. It calls ``commit`` before it sends anything that must not be lost.

        Raises:
            Withdrawn: The caller's ticket was given up.
        """
        ticket = _ticket.get() or Ticket()
        while True:
            ticket.bolt = _bolt()
            if ticket.left:  # asked after the bolt was made: whoever leaves later draws this one
                raise Withdrawn
            flight = mine = _Flight[T](ticket)
            try:
                flight = self._aloft.setdefault(key, mine)
                flight.passengers.add(ticket)
                ticket.fellows, ticket.commitment = flight.passengers, flight.commitment
                if flight is mine:
                    self._take_off(key, flight, work)
                landed = flight.landed.wait(bolt=ticket.bolt)
            except BaseException:
                self._leave(key, flight, ticket)
                raise
            if not landed:
                ticket.leave()  # once more, now that it is on board
            elif not isinstance(flight.error, Withdrawn):
                return flight.outcome()
            # A withdrawn flight's last passenger left just as this one boarded: start anew.

    def _take_off(self, key: str, flight: _Flight[T], work: Callable[[Commitment], T]) -> None:
        thread = threading.Thread(target=self._fly, args=(key, flight, work), name="lakekey-exchange", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # The interpreter is exiting and starts no more threads (since 3.12).
            self._fly(key, flight, work)

    def _fly(self, key: str, flight: _Flight[T], work: Callable[[Commitment], T]) -> None:
        if flight.claim():
            try:
                flight.fly(work)
            finally:
                self._land(key, flight)

    def _land(self, key: str, flight: _Flight[T]) -> None:
        if self._aloft.get(key) is flight:
            del self._aloft[key]
        flight.commitment.release()
        flight.landed.open()

    def _leave(self, key: str, flight: _Flight[T], ticket: Ticket) -> None:
        """See through what was sent, or call it off. Raises what interrupts this in turn, at its end."""
        flight.passengers.discard(ticket)
        alone = not flight.passengers
        if alone:
            flight.commitment.withdraw()
        if flight.starter is ticket and flight.claim():
            # The interruption came before the thread had begun. Nobody else starts it: those on board start anew.
            flight.error = Withdrawn()
            self._land(key, flight)
        # Sent: let the answer arrive and be stored. A second Ctrl-C does not change what the server has done; the
        # exchange's own deadline bounds the wait.
        # But a SIGTERM must not be lost behind the Ctrl-C that is held back.
        later: BaseException | None = None
        while True:
            try:
                while flight.commitment.committed and not flight.landed.is_open:
                    flight.landed.wait(0.05)
                break
            except KeyboardInterrupt:
                continue
            except BaseException as interruption:  # noqa: BLE001 - raised when the wait is over
                later = interruption
        if later is not None:
            raise later
        if alone:
            # Called off: time to tidy up, such as to tell other processes that nobody signs in any more.
            with contextlib.suppress(KeyboardInterrupt):
                flight.landed.wait(_GRACE)
