"""What the terminal shows while a person signs in: how long there is still time."""

import sys
import time
from typing import Self

from lakekey._terminal import takes_escapes, width
from lakekey.oauth.deadlines import Commitment

_TICK = 1.0  # seconds


class Countdown:
    """A line that counts down to the end of the wait, and goes away afterwards; a context manager.

    Args:
        deadline: The end, by `time.monotonic`.
    """

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._shown = can_count()
        self._last: int | None = None

    def tick(self) -> None:
        """Show the seconds that are left, where they have changed."""
        left = max(0, round(self._deadline - time.monotonic()))
        if self._shown and left != self._last:
            self._last = left
            self._write(f"\r\x1b[K{_line(left)}")

    def clear(self) -> None:
        """Take the line away until the next tick: the person types on it."""
        if self._last is not None:
            self._last = None
            self._write("\r\x1b[K")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError):  # the terminal is gone: the sign-in may succeed all the same
            self._shown = False


class Counting:
    """A commitment whose pauses count down.

    Args:
        commitment: The sign-in's.
        countdown: What ticks.
    """

    def __init__(self, commitment: Commitment, countdown: Countdown) -> None:
        self._commitment = commitment
        self._countdown = countdown
        self.commit, self.release = commitment.commit, commitment.release

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
    return takes_escapes(sys.stderr)


def _line(left: int) -> str:
    """As much as fits: a line that the terminal breaks in two could not be written over."""
    room = width(sys.stderr) or 0
    counts = f"{left} s left, Ctrl-C ends it. "
    for text in (f"Waiting for you in the browser: {counts}", counts):
        if len(text) < room:
            return text
    return f"{left} s left "[: room - 1]
