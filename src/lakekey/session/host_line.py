"""The processes of one host in line before a shared store: one asks it, the others wait for what that one finds.

Each process that asks has to load the store's driver and needs a connection. Where two hundred of one host meet an
expired token, that is more than the host's processors and the server's connections bear, and one answer serves them
all: it is in the host's near copy. So a process waits for the first one, and loads no driver meanwhile.

It is a courtesy and guards nothing. The wait ends when the first one is done or dead, and at the latest after a lease's
time; without a token by then, each goes on by itself. Where no line can be kept, such as without a cache directory,
each goes on at once.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from lakekey._imports import holds_a_lock
from lakekey._inside_work import inside, is_holding
from lakekey._single_flight import Busy, Commitment, Flights, Overdue
from lakekey.cache.entry_lock import LONGEST_POLL, next_try
from lakekey.cache.stores.lease import SECONDS
from lakekey.cache.stores.lock_line import LockLine

if TYPE_CHECKING:
    from lakekey.cache.entry import Entry
    from lakekey.session.credential import Credential

_MARGIN = 5.0  # seconds by which the end of the wait may be late

_flights: "Flights[Entry | None]" = Flights()


class _Place:
    """This process's place at the head of a line, for all its threads; a forked child has it by copy only."""

    def __init__(self, path: str) -> None:
        self.pid = os.getpid()
        self.users: set[object] = set()
        self._path = path
        self._line = LockLine(path)

    def take(self) -> bool:
        """Try once to be at the head. Returns whether this process is."""
        if not self._line.enter():
            return False
        with contextlib.suppress(OSError):
            os.utime(self._path)  # files that have not been used for a month are swept away
        # Of two threads that come here at once, either may put its place last. Then the next process may ask early.
        _places[self._path] = self
        return True

    def leave(self, user: object) -> None:
        """A thread is done; the last one lets the next process ask. May be called again."""
        self.users.discard(user)
        if not self.users:
            if _places.get(self._path) is self:
                _places.pop(self._path, None)
            self._line.leave()


_places: dict[str, _Place] = {}


@contextlib.contextmanager
def in_line(
    credential: "Credential", settled: "Callable[[], Entry | None]", whose: str, *, longest: float = SECONDS
) -> "Iterator[Entry | None]":
    """Be the process of this host that asks the store, or wait for the one that does.

    Args:
        credential: For whose entry.
        settled: What the near copy has, if that will do.
        whose: What sets ``settled`` apart from that of others.
        longest: How many seconds another process is waited for.

    Yields:
        What the other process has found; ``None``: the caller asks.
    """
    path = credential.near.line(credential.entry_id)
    if path is None or inside() or holds_a_lock() or is_holding():
        yield None
        return
    user = object()
    shared = _in_use(path)
    place = shared or _Place(path)
    try:
        place.users.add(user)  # where the last one has just left, this thread asks early, which does no harm
        if shared is not None or place.take():
            yield None
            return
    finally:
        try:
            place.leave(user)
        except BaseException:  # an interrupt, as it begins or in its midst
            place.leave(user)
            raise
    yield _waited(path, min(longest, credential.target.lock_timeout), settled, whose)


def _in_use(path: str) -> _Place | None:
    """The place that threads of this process have at the head of the line now."""
    place = _places.get(path)
    return place if place is not None and place.pid == os.getpid() and place.users else None


def _waited(path: str, patience: float, settled: "Callable[[], Entry | None]", whose: str) -> "Entry | None":
    def wait(commitment: Commitment) -> "Entry | None":
        arrived = time.monotonic()
        while (waited := time.monotonic() - arrived) < patience:
            commitment.pause(next_try(waited, LONGEST_POLL))
            if (found := settled()) is not None:
                return found
            with LockLine(path).is_first() as is_free:
                if is_free:
                    return settled()  # stored between the two looks, if it is there
        return None

    try:
        return _flights.run(f"{path}:{whose}", wait, patience=patience + _MARGIN)
    except (Busy, Overdue):
        return None
