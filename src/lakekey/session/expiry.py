"""When a token is fresh, stale or expired. Pure arithmetic on epoch seconds (UTC); no clock is read here."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lakekey.cache.entry import Entry

_EXPIRY_MARGIN = 40.0  # Azure refuses tokens with 30 s or less left
_LONGEST_STALENESS = 20 * 60.0
# How far a clock may be set back without notice. Below the margin: a token that lives longer by it has not ended.
CLOCK_TOLERANCE = 30.0
# How long a token that replaced a refused one is not replaced in turn.
TRIAL = 30.0
_LAST_DAY = 86400.0


def margin(lifetime: float) -> float:
    """Seconds before its end at which a token counts as expired: less for tokens that live for seconds only."""
    return min(_EXPIRY_MARGIN, 0.15 * lifetime)


def is_live(issued_at: float, expires_at: float, now: float) -> bool:
    """Whether a token may still be sent.

    A token from the future means that the clock was set back since it was issued: then its expiry says nothing, and
    it counts as expired rather than be served for a day too long.
    """
    return issued_at - CLOCK_TOLERANCE <= now < expires_at - margin(expires_at - issued_at)


def stale_at(issued_at: float, expires_at: float) -> float:
    """When to begin renewing in the background: min(half its life, 20 minutes) before expiry, jittered.

    The jitter keeps the processes of a machine from waking for the same entry at the same instant.
    """
    ahead = _staleness(issued_at, expires_at)
    jitter = os.urandom(1)[0] / 255  # the random module would cost a twentieth of the cold-start budget
    return expires_at - ahead * (0.8 + 0.2 * jitter)


def _staleness(issued_at: float, expires_at: float) -> float:
    """The last part of a token's life, in which it is renewed ahead of time."""
    return min(max(0.0, expires_at - issued_at) / 2, _LONGEST_STALENESS)


def replaced_before_its_time(issued_at: float, expires_at: float, now: float) -> bool:
    """Whether a token is replaced before it is due: then a server has refused it."""
    return issued_at <= now < expires_at - _staleness(issued_at, expires_at)


def is_on_trial(entry: Entry, now: float) -> bool:
    """Whether a token replaced a refused one so recently that yet another would not be served either."""
    return entry.on_trial and 0 <= now - entry.issued_at < TRIAL


def session_end(entry: Entry) -> float:
    """When a person's session ends at the latest, in epoch seconds; 0 if unknown."""
    if not entry.refresh_token:
        return 0.0
    return min((end for end in (entry.refresh_expires_at, entry.session_ends_at) if end), default=0.0)


def nears_end(entry: Entry, now: float) -> bool:
    """Whether a session is in the last fifth of its time, or its last day: time to sign in again.

    The end of a refresh token that each refresh replaces moves on with it; it is near only when that has stopped.
    """
    if not entry.refresh_token:
        return False
    spans = ((entry.refresh_expires_at, entry.issued_at), (entry.session_ends_at, entry.logged_in_at))
    return any(end and end - now < min(_LAST_DAY, 0.2 * (end - begin)) for end, begin in spans)
