"""What a person sees while a sign-in waits: how much time is left, and how to stop.

A terminal, a console of Windows and a notebook have a line that is written over each second. A dumb terminal cannot
write over: it gets a new line whenever half of the time has gone. Anything else, such as a log, is told once.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import Any, Self

from lakekey._terminal import is_terminal, takes_escapes, width
from lakekey.configuration.presence import in_notebook
from lakekey.oauth.deadlines import Commitment

_TICK = 1.0  # seconds
_SELDOM = 10  # seconds; a dumb terminal is told no more where there is less
_CELL = 80  # columns of a notebook's cell, which has more


class Countdown:
    """Counts down to the end of the wait on the standard error stream; a context manager.

    Args:
        deadline: The end, by the clock.
        clock: Seconds that only go forward.
    """

    def __init__(self, deadline: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._deadline = deadline
        self._clock = clock
        self._writes_over = can_count()
        self._adds_lines = not self._writes_over and is_terminal(sys.stderr)
        self._told = self._left()
        self._last: int | None = None
        self._columns = 0  # of what stands on the line

    def tick(self) -> None:
        """Show the seconds that are left, where they have changed."""
        left = self._left()
        if self._writes_over and left != self._last:
            self._last = left
            self._write_over(_line(left))
        elif self._adds_lines and _SELDOM <= left <= self._told / 2:
            self._told = left
            self._write(f"{left} s left, {how_to_stop()}.\n")

    def clear(self) -> None:
        """Take the line away until the next tick: something else is written there."""
        if self._last is not None:
            self._last = None
            self._write_over("")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def _left(self) -> int:
        return max(0, round(self._deadline - self._clock()))

    def _write_over(self, line: str) -> None:
        if takes_escapes(sys.stderr):
            self._write(f"\r\x1b[K{line}")
        else:
            self._write(f"\r{line.ljust(min(self._columns, _room() - 1))}" + ("" if line else "\r"))
        self._columns = len(line)

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError):  # the terminal is gone: the sign-in may succeed all the same
            self._writes_over = self._adds_lines = False


class Counting:
    """A commitment whose pauses count down.

    Args:
        commitment: The sign-in's.
        countdown: What ticks.
    """

    def __init__(self, commitment: Commitment, countdown: Countdown) -> None:
        self._commitment = commitment
        self._countdown = countdown
        self.commit, self.settled = commitment.commit, commitment.settled

    def pause(self, seconds: float) -> None:
        """See `Commitment.pause`."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > _TICK:
            self._countdown.tick()
            self._commitment.pause(_TICK)
        self._countdown.tick()
        self._commitment.pause(max(0.0, left))


def can_count() -> bool:
    """Whether a line can count down here: it is written over, which a pipe and a dumb terminal do not do."""
    stream = sys.stderr
    return takes_escapes(stream) or (os.name == "nt" and is_terminal(stream)) or (in_notebook() and _is_cell(stream))


def how_to_stop() -> str:
    """What the person does to end the wait."""
    return "interrupt the cell to end it" if in_notebook() else "Ctrl-C ends it"


def _is_cell(stream: Any) -> bool:
    """Whether a stream goes into a notebook's cell, and not where a program has led it."""
    return type(stream).__module__.partition(".")[0] == "ipykernel"


def _line(left: int) -> str:
    """As much as fits: a line that the terminal breaks in two could not be written over."""
    counts = f"{left} s left, {how_to_stop()}. "
    for text in (f"Waiting for you in the browser: {counts}", counts):
        if len(text) < _room():
            return text
    return f"{left} s left "[: _room() - 1]


def _room() -> int:
    return width(sys.stderr) or _CELL
