"""Tells a person once that a program waits for another process, which works on the same session."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from lakekey._inside_work import later
from lakekey.errors import LockTimeout
from lakekey.observability.events import Events

if TYPE_CHECKING:
    from lakekey.observability.telemetry import Span

_AGAIN = 60.0

_told: dict[str, float] = {}


class Wait:
    """One wait for an entry's lock, if there is one: it begins with the first turn.

    Args:
        entry_id: The entry; a process tells once of each, however many threads wait.
        events: Where it is told.
        what: Says what is waited for.
        aloud: Whether a person reads this; otherwise it is a log record.
        patience: Seconds of waiting before it is told.
    """

    def __init__(self, entry_id: str, events: Events, what: Callable[[], str], *, aloud: bool, patience: float) -> None:
        self._entry_id = entry_id
        self._events = events
        self._aloud = aloud
        self._what = what
        self._due = time.monotonic() + patience
        self._span: Span | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, LockTimeout):
            self._events.failed(error)
        self.over("adopted", error)

    def over(self, outcome: str, error: BaseException | None = None) -> None:
        """It is over, unless it was before: by the work of the process that was waited for, or since it is our turn."""
        span, self._span = self._span, None
        if span is not None:
            span.end(outcome, error)

    def goes_on(self) -> None:
        """Called on each turn of the wait."""
        self._span = self._span or self._events.wait()
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + _AGAIN
        if now - _told.get(self._entry_id, -_AGAIN) < _AGAIN:
            return
        _told[self._entry_id] = now  # two threads that come here at once may both tell
        if self._aloud:
            notice = f"lakekey: waiting for {self._what()}"
            later(lambda: print(notice, file=sys.stderr, flush=True))  # noqa: T201
        else:
            self._events.waits(self._what())
