"""What the terminal shows while a person signs in: how long there is still time."""

import sys
import time
from typing import Self

from lakekey._terminal import shows_escapes


class Countdown:
    """A line that counts down to the end of the wait, and goes away afterwards; a context manager.

    Args:
        deadline: The end, by `time.monotonic`.
        shown: Whether to show it. A line that the person types on is not written over.
    """

    def __init__(self, deadline: float, *, shown: bool) -> None:
        self._deadline = deadline
        self._shown = shown and shows_escapes(sys.stderr)
        self._last = -1

    def tick(self) -> None:
        """Show the seconds that are left, where they have changed."""
        left = max(0, round(self._deadline - time.monotonic()))
        if self._shown and left != self._last:
            self._last = left
            self._write(f"\r\x1b[KWaiting for you in the browser: {left} s left, Ctrl-C ends it. ")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._last >= 0:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError):  # the terminal is gone: the sign-in may succeed all the same
            self._shown = False
