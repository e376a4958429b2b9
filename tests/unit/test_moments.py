import time
from datetime import UTC, datetime, timedelta

import pytest

from lakekey import _moments

LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize("moment", [datetime(1970, 1, 1, tzinfo=UTC), datetime(3001, 1, 20, tzinfo=UTC), LAST])
def test_moment_of_any_year_is_told_in_utc_and_in_local_time(moment):
    seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    assert _moments.utc(seconds) == moment
    assert _moments.local(moment) == moment
    assert _moments.local(moment).utcoffset() is not None


def test_fractions_of_a_second_are_kept():
    assert _moments.utc(1.25) == datetime(1970, 1, 1, 0, 0, 1, 250000, tzinfo=UTC)
    assert _moments.utc(1790000000.123456) == datetime.fromtimestamp(1790000000.123456, UTC)


@pytest.fixture
def east(monkeypatch):
    """A machine east of Greenwich."""
    if not hasattr(time, "tzset"):
        pytest.skip("not on Windows: a process keeps its time zone")
    monkeypatch.setenv("TZ", "IST-5:30")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("east")
def test_local_time_is_the_machines_and_utc_where_the_calendar_has_ended():
    assert _moments.local(datetime(2026, 1, 1, tzinfo=UTC)).utcoffset() == timedelta(hours=5.5)
    assert _moments.local(LAST).utcoffset() == timedelta(0)
