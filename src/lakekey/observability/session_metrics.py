"""Metrics of the sessions that are kept alive, loaded only where ``LAKEKEY_OTEL`` is on (`events`)."""

from collections import Counter
from collections.abc import Mapping
from urllib.parse import urlsplit

from opentelemetry import metrics

from lakekey._version import __version__
from lakekey.observability.telemetry import later

_meter = metrics.get_meter("lakekey", __version__)
_sessions = _meter.create_gauge(
    "lakekey.keep_alive.sessions", unit="{session}", description="Sessions that the last round looked at, by state"
)
_next_end = _meter.create_gauge(
    "lakekey.keep_alive.next_end", unit="s", description="Time until the first person has to sign in again"
)
_last: set[tuple[str, str]] = set()  # what the round before counted, and must fall to 0 where it is gone


def report(kept: Mapping[tuple[str, str], int], next_end: float | None) -> None:
    """See `lakekey.observability.events.sessions_kept`."""
    counts: Counter[tuple[str, str]] = Counter()
    for (workspace, state), number in kept.items():
        counts[urlsplit(workspace).hostname or workspace, state] += number

    def set_all() -> None:
        for workspace, state in _last | counts.keys():
            about = {"server.address": workspace, "lakekey.state": state}
            _sessions.set(counts[workspace, state], about)
        _last.clear()
        _last.update(counts)
        if next_end is not None:
            _next_end.set(next_end)

    later(set_all)
