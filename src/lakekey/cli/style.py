"""How a terminal is written to: its width, its colours, links; and what never goes there.

A pipe or file gets the same words, unpainted and unfolded. No library does this here: it is a hundred lines, and what
is piped must be plain without one as well.
"""

import os
import shutil
import sys
import unicodedata
from typing import Any

GOOD, WARN, BAD, DIM = "32", "33", "31", "2"
_STATES = {
    **dict.fromkeys(("ok", "signed in", "renews itself", "signs in by itself", "signed in by the SDK"), GOOD),
    **dict.fromkeys(("warning", "signed out"), WARN),
    **dict.fromkeys(("failed", "expired"), BAD),
}


def is_terminal(stream: Any) -> bool:
    """Whether a stream leads to a terminal."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def paints(stream: Any) -> bool:
    """Whether a stream is a terminal that shows colours and links, and the person wants them (https://no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM", "") in ("", "dumb"):
        return False
    return is_terminal(stream)


def width(stream: Any) -> int | None:
    """The columns of the terminal behind a stream; ``None``: it is none, so lines may be as long as they are."""
    if not is_terminal(stream):
        return None
    return max(20, shutil.get_terminal_size((80, 24)).columns)


def paint(text: str, colour: str, stream: Any = None) -> str:
    """A text in a colour, where the stream shows it."""
    return f"\x1b[{colour}m{text}\x1b[0m" if paints(stream or sys.stdout) and text else text


def colour_of(state: str) -> str | None:
    """The colour of a state or of a check's outcome."""
    return WARN if state.startswith("ends ") else _STATES.get(state)


def painted_state(state: str) -> str:
    """A state, in its colour."""
    colour = colour_of(state.strip())
    return paint(state, colour) if colour else state


def clean(text: str) -> str:
    """A text without what would command the terminal or turn the line around: such characters are escaped."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def columns(text: str) -> int:
    """How many columns a text takes: letters of East Asia take two, marks above others none."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(each) in "WF" for each in text)
    return len(text) + wide - sum(bool(unicodedata.combining(each)) for each in text)


def padded(text: str, size: int) -> str:
    """A text, filled up with blanks."""
    return text + " " * (size - columns(text))
