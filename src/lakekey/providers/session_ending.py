"""Warning in time that a session nears its end, since the platform wants people to sign in again from time to time."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from lakekey import _log
from lakekey._imports import LOADING
from lakekey.cache.entry import Entry
from lakekey.configuration.target import Target

if TYPE_CHECKING:
    from datetime import datetime


class SessionEnding(NamedTuple):
    """A session that ends soon unless the person signs in.

    Attributes:
        profile: The profile, or ``None``.
        host: The workspace or account host.
        identity: Whose session it is, where known.
        ends_at: When it ends, as an aware datetime in UTC.
        login_command: The command that begins a new one.
    """

    profile: str | None
    host: str
    identity: str | None
    ends_at: "datetime"
    login_command: str


Callback = Callable[[SessionEnding], None]


class EndWatch:
    """Warns once about each end: by a log record, and by the registered callbacks.

    Args:
        target: What is signed in to.
        entry_id: The session's entry.
    """

    def __init__(self, target: Target, entry_id: str) -> None:
        self._target = target
        self._entry = entry_id[:12]
        self._callbacks: list[Callback] = []
        self._warned = 0.0

    def add(self, callback: Callback) -> None:
        """Call this, too; also about an end that was warned of already."""
        self._callbacks.append(callback)
        self._warned = 0.0

    def near(self, entry: Entry, end: float) -> None:
        """The end of an entry's session is near."""
        if end == self._warned:
            return
        self._warned = end
        with LOADING:
            from lakekey import _moments

        target = self._target
        ending = SessionEnding(target.profile, target.host, entry.identity, _moments.utc(end), target.login_command)
        _log.warning(
            "session", "%s: the session ends at %s; sign in before with: %s, entry %s", target.name,
            ending.ends_at.isoformat(timespec="minutes"), target.login_command, self._entry,
        )  # fmt: skip
        for callback in tuple(self._callbacks):
            try:
                callback(ending)
            except Exception as error:  # noqa: BLE001 - a host's callback must not cost it its token
                _log.warning(
                    "session",
                    "the callback for a session's end failed: %s, entry %s",
                    type(error).__name__,
                    self._entry,
                )
