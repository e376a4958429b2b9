"""What the examination of a shared store finds."""

from typing import NamedTuple

OK, WARNING, FAILED = "ok", "warning", "failed"


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
