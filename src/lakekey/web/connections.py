"""The state of each connection of a user: one of the few that a page has words for."""

import time
from datetime import datetime
from typing import Any, NamedTuple

from lakekey import _moments
from lakekey.cache.entry import Entry
from lakekey.configuration.target import Target
from lakekey.session.expiry import is_live, nears_end, session_end
from lakekey.web.people import User

NOT_CONNECTED = "not-connected"
CONNECTED = "connected"
ENDS_SOON = "ends-soon"
SIGN_IN_AGAIN = "sign-in-again"
TRY_LATER = "try-later"
ASK_ADMINISTRATOR = "ask-administrator"

#: The states in which statements can run.
USABLE = frozenset({CONNECTED, ENDS_SOON})
_REFUSED = frozenset({"credentials_refused", "configuration"})
_TRANSIENT = frozenset({"token_endpoint", "store_unavailable", "lock_timeout"})
_LONGEST = 250_000_000_000  # the year 9892, beyond which the calendar ends


class Schedule(NamedTuple):
    """Something that runs without a person.

    Attributes:
        name: What the host application calls it.
        profile: The profile for people that it belongs to.
        user: Who made it; a `User` with an id, where the name may be given to another person.
    """

    name: str
    profile: str
    user: User | str


class Connection(NamedTuple):
    """A user's connection to one workspace; it holds no secret.

    Attributes:
        profile: The profile.
        host: The workspace.
        uses: What it is for: ``sql``, ``cluster``, both, or neither.
        state: One of the states above.
        who: The identity that it acts as, or acted as last, where known.
        connected_at: When that person signed in, in UTC.
        ends_at: When a person has to sign in again at the latest, in UTC; ``None``: not known.
        why: Why it does not work, in the server's or our words.
        since: When that was found, in UTC.
        registration: The app through which it was made.
        principal: The service principal that schedules act as, where one is configured.
        schedules: The schedules that rely on it, by name; ``None`` if the host application does not say.
    """

    profile: str
    host: str
    uses: tuple[str, ...]
    state: str
    who: str | None = None
    connected_at: datetime | None = None
    ends_at: datetime | None = None
    why: str = ""
    since: datetime | None = None
    registration: str = ""
    principal: str | None = None
    schedules: tuple[str, ...] | None = None

    @property
    def is_set_up(self) -> bool:
        """Whether its profile can be used; where it cannot, nothing is known of the connection but why."""
        return self.state != ASK_ADMINISTRATOR or self.since is not None

    def as_json(self) -> dict[str, Any]:
        """As ``GET /connections`` shows it."""
        return {
            name: value.isoformat(timespec="seconds") if isinstance(value, datetime) else value
            for name, value in self._asdict().items()
        }


def connection_of(
    target: Target,
    entry: Entry | None,
    user: User,
    *,
    registration: str = "",
    principal: str | None = None,
    warning: float = 3 * 86400.0,
    now: float | None = None,
) -> Connection:
    """The connection that an entry is.

    Args:
        target: What it signs in to.
        entry: What is stored, or ``None``.
        user: Whose it is to be.
        registration: The app's name.
        principal: The service principal of schedules.
        warning: How long before its end it counts as near, in seconds.
        now: Seconds since the epoch; ``None`` for the clock's.
    """
    now = time.time() if now is None else now
    base = Connection(
        target.profile or target.name, target.host, uses_of(target), NOT_CONNECTED, registration=registration,
        principal=principal,
    )  # fmt: skip
    if entry is None or not is_of(entry, user):
        return base
    base = base._replace(
        who=entry.identity, connected_at=moment(entry.logged_in_at), ends_at=moment(session_end(entry))
    )
    state, why, since = _state_of(entry, warning, now)
    return base._replace(state=state, why=why, since=moment(since))


def _state_of(entry: Entry, warning: float, now: float) -> tuple[str, str, float]:
    """The state, why, and since when."""
    failure, end = entry.failure, session_end(entry)
    found = (CONNECTED, "", 0.0)
    if entry.refused is not None:
        found = (SIGN_IN_AGAIN, entry.refused.message, entry.refused.at)
    elif not entry.refresh_token:
        found = (NOT_CONNECTED, "", 0.0)
    elif end and end <= now:
        found = (SIGN_IN_AGAIN, "", end)
    elif failure is not None and failure.code in _REFUSED:
        found = (ASK_ADMINISTRATOR, failure.message, failure.at)
    elif failure is not None and failure.code in _TRANSIENT and not is_live(entry.issued_at, entry.expires_at, now):
        found = (TRY_LATER, failure.message, failure.at)
    elif (entry.session_ends_at and entry.session_ends_at - now < warning) or nears_end(entry, now):
        found = (ENDS_SOON, "", 0.0)
    return found


def is_of(entry: Entry, user: User) -> bool:
    """Whether an entry is of this very person, and not of an earlier one who had the same name."""
    owner = entry.about.get("portal_user") or {}
    return not owner.get("id") or not user.id or owner["id"] == user.id


def is_same(one: User, other: User) -> bool:
    """Whether two users are one person, as far as ids tell."""
    return one.name == other.name and ("" in (one.id, other.id) or one.id == other.id)


def uses_of(target: Target) -> tuple[str, ...]:
    """What a target is for."""
    uses = ("sql",) if target.http_path else ()
    return (*uses, "cluster") if target.cluster_id or target.serverless_compute_id else uses


def moment(seconds: float) -> datetime | None:
    """A time for people and for JSON; ``None`` if it is not known."""
    return _moments.utc(seconds) if 0 < seconds < _LONGEST else None
