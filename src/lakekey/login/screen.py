"""What the terminal shows while a person signs in: the address as a link, and how long there is still time."""

import os
import shutil
import sys
import time
from typing import Self, TextIO


def shows_escapes(stream: TextIO) -> bool:
    """Whether a stream is a terminal that understands more than lines, and the person wants it (https://no-color.org)."""
    try:
        terminal = stream.isatty()
    except ValueError:  # closed
        return False
    return terminal and os.environ.get("TERM", "") not in ("", "dumb") and not os.environ.get("NO_COLOR")


def link(address: str, stream: TextIO) -> str:
    """An address that a terminal opens with a click, also where it is broken into several lines (OSC 8)."""
    return f"\x1b]8;;{address}\x1b\\{address}\x1b]8;;\x1b\\" if shows_escapes(stream) else address


def folded(text: str, stream: TextIO) -> str:
    """A sentence in the terminal's width, broken between words; as it is where the stream is no terminal."""
    try:
        if not stream.isatty():
            return text
    except ValueError:  # closed
        return text
    room, lines = max(20, shutil.get_terminal_size((80, 24)).columns), [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > room:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return "\n".join(lines)


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
