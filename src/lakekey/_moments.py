"""Moments of every year. Windows' own calls know none after the year 3000, nor local times near the first of 1970."""

from datetime import UTC, datetime, timedelta

_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)


def utc(seconds: float) -> datetime:
    """A moment of epoch seconds, in UTC.

    Raises:
        OverflowError: It is after the year 9999.
    """
    return _BEGIN + timedelta(seconds=seconds)


def now_in_words() -> str:
    """What the clock of this machine says, in UTC, to the minute."""
    return datetime.now(UTC).isoformat(sep=" ", timespec="minutes").replace("+00:00", " UTC")


def local(moment: datetime) -> datetime:
    """A moment in the time of this machine; in UTC where the system has no local time for it."""
    try:
        return moment.astimezone()
    except (OSError, OverflowError, ValueError):
        return moment.astimezone(UTC)
