"""Which sessions to report as ending soon: each once a day, by the host that makes the round.

One time is kept in the store, that of the last round that reported something. A session is reported by the round in
which another day of its last ones has begun since, or in which it is new, so that no list of sessions has to be kept.
"""

import contextlib
import hashlib
import time

from lakekey.cache.cache import Cache
from lakekey.cache.entry import Entry
from lakekey.errors import LakekeyError

_DAY = 86400.0
_NOTE = "keep-alive"

_MOST = 10_000
# Entry → its end and the day of the last report: where the store takes no note, a process repeats itself no more often.
_given: dict[str, tuple[float, int]] = {}


class EndNotices:
    """What is reported of the sessions of a cache.

    Args:
        cache: The cache, which has been read from, so that the time of its store is known.
        selection: Which of its sessions are looked at, as they were named; ``""`` for all.
        warn: Seconds before a session's end from which on it is reported.
        most: How many reports this process remembers.
    """

    def __init__(self, cache: Cache, selection: str, warn: float, *, most: int = _MOST) -> None:
        self._cache = cache
        self._warn = warn
        self._most = most
        digest = hashlib.sha256(selection.encode()).hexdigest()[:16]
        self._note = f"{_NOTE}-{digest}" if selection else _NOTE
        self._ahead = cache.now() - time.time()  # the note has the store's time, which is the same for all hosts
        self._last = self._read()
        self._any = False

    def is_due(self, entry_id: str, entry: Entry, ends: float) -> bool:
        """Whether to report now that a session ends.

        Args:
            entry_id: The id of its entry.
            entry: The session.
            ends: When it ends, in epoch seconds.
        """
        now = time.time()
        day = self._day(now, ends)
        if day < 0 or (day <= self._day(self._last, ends) and entry.logged_in_at <= self._last):
            return False
        if _given.get(entry_id) == (ends, day):
            return False
        if len(_given) >= self._most:  # and the note of the store tells those that are forgotten here
            _given.clear()
        _given[entry_id] = ends, day
        self._any = True
        return True

    def close(self) -> None:
        """Note the time, where something was reported."""
        if self._any:
            with contextlib.suppress(LakekeyError, OSError):
                self._cache.store.write_note(self._note, f"{time.time() + self._ahead:.3f}".encode())

    def _day(self, moment: float, ends: float) -> int:
        """Which of a session's last days a moment is in: below 0 before them, and one number after the end."""
        return int(min(moment - (ends - self._warn), self._warn) // _DAY)

    def _read(self) -> float:
        """The time of the note, by this machine's clock; 0 if there is none."""
        try:
            note = self._cache.store.read_note(self._note)
            return float(note) - self._ahead if note else 0.0
        except (LakekeyError, OSError, ValueError):
            return 0.0
