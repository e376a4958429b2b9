"""What the examination of a shared store finds."""

import unicodedata
from typing import NamedTuple

OK, WARNING, FAILED = "ok", "warning", "failed"
_LONGEST = 300


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
        name: What.
        status: ``ok``, ``warning`` or ``failed``.
        finding: What was found, without secrets.
        next_step: What to do about it, where something is to be done.
    """

    name: str
    status: str
    finding: str
    next_step: str | None = None


def shown(text: str) -> str:
    """What a server says, as a person may see it: bounded, and what a terminal or a log would act on is escaped."""
    return "".join(each if _is_plain(each) else each.encode("unicode_escape").decode() for each in text[:_LONGEST])


def _is_plain(character: str) -> bool:
    # Spaces of other kinds, as in a French server's texts, are not printable to Python, but harmless.
    return character.isprintable() or unicodedata.category(character) == "Zs"
