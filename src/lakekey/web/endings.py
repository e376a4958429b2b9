"""Connections that end: at which stage each is, and notes of those that have been told of, for all workers."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from lakekey import _log
from lakekey.cache.cache import Cache
from lakekey.cache.entry import Entry
from lakekey.cache.refusals import Refusals
from lakekey.errors import CacheError
from lakekey.web import connections
from lakekey.web.connections import Connection

_TOLD = "web-told"
_KIND = "web-told"
_PATIENCE = 20.0
_GIVES_UP = 3
_REFUSED = "took none of the notes of a connection that ends"
#: How far ahead an end is told of, in seconds, and by which name; the nearest counts.
STAGES = ((0.0, "ended"), (3600.0, "hour"), (3 * 86400.0, "days"))


class Ending(NamedTuple):
    """A connection that ends, or has ended.

    Attributes:
        user: Whose.
        profile: Which.
        stage: ``days``, ``hour`` or ``ended``.
        ends_at: When, in UTC.
        url: Where that person signs in again.
    """

    user: str
    profile: str
    stage: str
    ends_at: datetime
    url: str


def ending_of(connection: Connection, user: str, now: float, url: str) -> Ending | None:
    """The end that a connection is near to, or has come to; ``None`` if that is more than three days away."""
    ends_at = connection.ends_at
    if connection.state == connections.SIGN_IN_AGAIN:
        ends_at = ends_at or connection.since
    if ends_at is None:
        return None
    left = ends_at.timestamp() - now
    if connection.state == connections.SIGN_IN_AGAIN:
        left = min(left, 0.0)
    stage = next((name for ahead, name in STAGES if left <= ahead), None)
    return Ending(user, connection.profile, stage, ends_at, url) if stage is not None else None


class Notes:
    """Which ends have been told of, in one entry of the store.

    Args:
        cache: The store.
        known: The connections that there are, by user and profile; notes of others go.
    """

    def __init__(self, cache: Cache, known: Iterable[tuple[str, str]]) -> None:
        self._cache = cache
        self._known = {_key(user, profile) for user, profile in known}

    def tell(self, due: Iterable[Ending], hook: Callable[[Ending], None]) -> list[Ending]:
        """Tell of those that have not been told of. What goes wrong with one keeps no other from being told of.

        Args:
            due: The ends.
            hook: What is told.

        Returns:
            What was told.

        Raises:
            CacheError: Some could not be noted, and were not told of; or the store took no note several times in a row.
        """
        told, trouble, in_a_row = list[Ending](), None, 0
        for ending in due:
            try:
                if self._tell(ending, hook):
                    told.append(ending)
                in_a_row = 0
            except CacheError as error:
                trouble, in_a_row = error, in_a_row + 1
                whose = f"{ending.profile} of {ending.user}"
                _log.warning("web", "the end of the connection %s is not told of: %s", whose, error.message)
                if in_a_row == _GIVES_UP:  # each may have taken its whole patience
                    break
        if trouble is not None:
            raise trouble
        return told

    def _tell(self, ending: Ending, hook: Callable[[Ending], None]) -> bool:
        if not self.mark(ending):
            return False
        try:
            hook(ending)
        except Exception as error:  # noqa: BLE001 - a host's hook must not keep the others from being told
            _log.warning("web", "the hook for endings failed: %s", type(error).__name__)
            self.unmark(ending)
            return False
        return True

    def mark(self, ending: Ending) -> bool:
        """Note that it is told of. Returns whether it was not before."""
        key, value = _key(ending.user, ending.profile), [ending.stage, int(ending.ends_at.timestamp())]
        refusals = Refusals(self._cache.store, _REFUSED)
        while True:
            with self._cache.locked(_TOLD, patience=_PATIENCE) as stored:
                told = dict(stored.entry.about.get("told", {})) if stored.entry is not None else {}
                if told.get(key) == value:
                    return False
                told = {each: at for each, at in told.items() if each in self._known}
                told[key] = value
                if self._cache.put(_TOLD, Entry({"kind": _KIND, "told": told}), replaces=stored.envelope) is not None:
                    return True
            refusals.wait()

    def unmark(self, ending: Ending) -> None:
        """Take a note back, so that it is told of again."""
        refusals = Refusals(self._cache.store, _REFUSED)
        while True:
            with self._cache.locked(_TOLD, patience=_PATIENCE) as stored:
                told = dict(stored.entry.about.get("told", {})) if stored.entry is not None else {}
                told.pop(_key(ending.user, ending.profile), None)
                if self._cache.put(_TOLD, Entry({"kind": _KIND, "told": told}), replaces=stored.envelope) is not None:
                    return
            refusals.wait()


def _key(user: str, profile: str) -> str:
    return f"{profile}\n{user}"
