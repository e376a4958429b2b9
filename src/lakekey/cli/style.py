"""What has which colour, and what never goes to a terminal."""

import sys
from typing import Any

from lakekey import _terminal

GOOD, WARN, BAD = "green", "yellow", "red"
_STATES = {
    **dict.fromkeys(("ok", "signed in", "renews itself", "signs in by itself", "signed in by the SDK"), GOOD),
    **dict.fromkeys(("warning", "signed out"), WARN),
    **dict.fromkeys(("failed", "expired"), BAD),
}


def paint(text: str, colour: str, stream: Any = None) -> str:
    """A text in a colour, where the stream shows it."""
    return _terminal.painted(text, colour, stream or sys.stdout)


def colour_of(state: str) -> str:
    """The colour of a state or of a check's outcome; empty where it has none."""
    return WARN if state.startswith("ends ") else _STATES.get(state, "")


def painted_state(state: str) -> str:
    """A state, in its colour."""
    colour = colour_of(state.strip())
    return paint(state, colour) if colour else state


def clean(text: str) -> str:
    """A text without what would command the terminal or turn the line around: such characters are escaped."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
