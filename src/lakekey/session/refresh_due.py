"""When an unused refresh token is due to be renewed, and when it and its session end."""

from lakekey.cache.entry import Entry
from lakekey.configuration.target import Target

_UNKNOWN = 86400.0  # seconds between two renewals of a refresh token whose lifetime is not known
_SHORTEST = 60.0  # seconds; nothing is renewed more often, however short it lives


def is_due(entry: Entry, lapses: float, ends: float, now: float) -> bool:
    """Whether a refresh token should be renewed now: in the second half of its life, or a day after the last renewal.

    Args:
        entry: The session.
        lapses: When its refresh token ends unless it is renewed, in epoch seconds; 0 if unknown.
        ends: When the session ends whatever is renewed; 0 if unknown.
        now: This moment.
    """
    if now < entry.issued_at + _SHORTEST:
        return False
    if not lapses:
        return now >= entry.issued_at + _UNKNOWN
    if ends and lapses >= ends > now:
        return False  # it lives as long as the session does
    return now >= entry.issued_at + (lapses - entry.issued_at) / 2


def lapse_of(entry: Entry, target: Target | None) -> float:
    """When a refresh token ends unless it is renewed: as the server said, else as is configured; 0 if unknown."""
    minutes = target.refresh_token_lifetime_in_minutes if target is not None else None
    return entry.refresh_expires_at or (entry.issued_at + minutes * 60 if minutes else 0.0)


def end_of(entry: Entry, target: Target | None) -> float:
    """When a session ends whatever is renewed; 0 if unknown."""
    minutes = target.absolute_session_lifetime_in_minutes if target is not None else None
    return entry.session_ends_at or (entry.logged_in_at + minutes * 60 if minutes and entry.logged_in_at else 0.0)
