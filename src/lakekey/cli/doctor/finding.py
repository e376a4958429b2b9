"""What a check says."""

from typing import NamedTuple

from lakekey.errors import LakekeyError

OK, WARNING, FAILED = "ok", "warning", "failed"


class Check(NamedTuple):
    """One check, done.

    Attributes:
        name: What was looked at.
        status: ``ok``, ``warning`` or ``failed``.
        finding: What was found, without secrets.
        next_step: What to do about it, where something is to be done.
        login: Whether a login is what it needs.
    """

    name: str
    status: str
    finding: str
    next_step: str | None = None
    login: bool = False


def failed(name: str, error: LakekeyError) -> Check:
    """A check that ended in one of our own errors, which says what to do."""
    return Check(name, FAILED, error.message, error.hint)
