"""Times in a store that hosts share: there they are the store's, and in a process they are this machine's.

A host whose clock is ten minutes off must neither send a dead token nor fetch one that is not needed. So each reading
brings the store's time along, and what is read and written is moved by the difference.

The difference is measured with an error of up to half the time that the store takes to answer. It is kept until a
measurement contradicts it: times that are compared for being the same, such as a failure's, do not tremble.
"""

import time
from typing import NamedTuple

from lakekey.cache.entry import Entry

_TOLERANCE = 1.0  # seconds
_SINCE = 2  # the place of `since` in `Entry.spending`


class _Measured(NamedTuple):
    ahead: float
    error: float


class StoreTime:
    """How far a store's clock is ahead of this machine's."""

    def __init__(self) -> None:
        self._measured: _Measured | None = None

    def observe(self, now: float | None, asked_at: float, answered_at: float) -> None:
        """Take a reading's time into account.

        Args:
            now: The store's time, in epoch seconds (UTC).
            asked_at: This machine's when it was asked.
            answered_at: This machine's when the answer was here.
        """
        if now is None:
            return
        error = max(0.0, answered_at - asked_at) / 2
        seen = _Measured(round(now - (asked_at + answered_at) / 2, 3), error)
        known = self._measured
        vague = known is not None and known.error > _TOLERANCE > error
        if known is None or vague or abs(seen.ahead - known.ahead) > known.error + error + _TOLERANCE:
            self._measured = seen

    @property
    def ahead(self) -> float:
        """Seconds; 0 before anything was read."""
        return self._measured.ahead if self._measured is not None else 0.0

    def here(self, entry: Entry) -> Entry:
        """An entry of the store's, with this machine's times."""
        return _moved(entry, -self.ahead)

    def there(self, entry: Entry) -> Entry:
        """An entry of this machine's, with the store's times."""
        return _moved(entry, self.ahead)

    def now(self) -> float:
        """The store's time, as far as it is known here."""
        return time.time() + self.ahead


def _moved(entry: Entry, seconds: float) -> Entry:
    def at(moment: float) -> float:
        return round(moment + seconds, 3) if moment else moment  # 0 is "not known"

    spending = entry.spending
    if spending is not None and len(spending) > _SINCE:
        spending = (*spending[:_SINCE], at(spending[_SINCE]), *spending[_SINCE + 1 :])
    return entry._replace(
        issued_at=at(entry.issued_at),
        expires_at=at(entry.expires_at),
        logged_in_at=at(entry.logged_in_at),
        refresh_expires_at=at(entry.refresh_expires_at),
        session_ends_at=at(entry.session_ends_at),
        refused=entry.refused._replace(at=at(entry.refused.at)) if entry.refused is not None else None,
        failure=entry.failure._replace(at=at(entry.failure.at)) if entry.failure is not None else None,
        spending=spending,
    )
