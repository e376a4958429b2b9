"""What a round of keep-alive finds: of one session, and of all of them, summed up for metrics and the audit log."""

import time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from lakekey import _log
from lakekey.cache.entry import Entry
from lakekey.configuration.target import Target
from lakekey.errors import LakekeyError
from lakekey.observability import audit, events
from lakekey.session import inventory
from lakekey.session.inventory import Found
from lakekey.session.refresh_due import end_of, lapse_of

RENEWED, NOT_DUE, BUSY = "renewed", "not due", "busy"
SIGN_IN, FAILED, NO_PROFILE = "sign in again", "failed", "no profile"


class KeptSession(NamedTuple):
    """What a round found and did about one session; it holds no secret.

    Attributes:
        entry: The id of its entry.
        workspace: The workspace, or the account console.
        profile: The profile that leads to it today, or ``None``.
        identity: The person, where it is known.
        state: ``renewed``, ``not due``, ``busy`` (another process is renewing it, or has just failed), ``sign in
            again``, ``failed``, or ``no profile`` (nothing leads to it today, so it cannot be renewed).
        lapses_at: When its refresh token ends unless it is renewed, in UTC, or ``None``: that is not known.
        ends_at: When the person has to sign in again at the latest, in UTC, or ``None``: that is not known.
        error: The code of what failed, or ``None``.
    """

    entry: str
    workspace: str
    profile: str | None
    identity: str | None
    state: str
    lapses_at: datetime | None = None
    ends_at: datetime | None = None
    error: str | None = None


def kept_session(found: Found, target: Target | None, state: str, *, error: LakekeyError | None = None) -> KeptSession:
    """What a round found, or made, of a session; without a target, as far as the entry tells."""
    entry = found.entry or Entry({})
    lapses, ends = (lapse_of(entry, target), end_of(entry, target)) if entry.refresh_token else (0.0, 0.0)
    if lapses and entry.rotates is False:  # the same token stays, and so does its end
        ends = min(lapses, ends) if ends else lapses
    return KeptSession(
        entry=found.entry_id,
        workspace=str(entry.about.get("host", "")),
        profile=found.profiles[0] if found.profiles else (target.profile if target is not None else None),
        identity=inventory.identity_of(entry),
        state=state,
        lapses_at=inventory.moment(lapses),
        ends_at=inventory.moment(ends),
        error=error.code if error is not None else None,
    )


class Sums:
    """What a round has found, summed up.

    Attributes:
        counts: How many sessions, by workspace and state.
        next_end: When the first of them ends, in epoch seconds; ``None`` if that is not known.
    """

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.next_end: float | None = None

    def add(self, kept: KeptSession) -> None:
        """Count one more."""
        self.counts[kept.workspace, kept.state] += 1
        if kept.ends_at is not None:
            ends = kept.ends_at.timestamp()
            self.next_end = ends if self.next_end is None else min(self.next_end, ends)

    def report(self, environ: Mapping[str, str]) -> None:
        """As metrics where OpenTelemetry is on, and as one audit record where something was done."""
        counts = dict.fromkeys((RENEWED, FAILED, SIGN_IN), 0)
        for (_, state), number in self.counts.items():
            if state in counts:
                counts[state] += number
        if counts[RENEWED] or counts[FAILED]:
            said = ", ".join(f"{number} {state}" for state, number in counts.items() if number)
            _log.info("keep_alive", "%d sessions looked at: %s", self.counts.total(), said)
            outcome = audit.FAILED if counts[FAILED] else audit.DONE
            audit.record(audit.ADMINISTRATION, environ=environ, action="keep_alive", outcome=outcome, detail=said)
        next_end = self.next_end - time.time() if self.next_end is not None else None
        events.sessions_kept(self.counts, next_end, environ)
