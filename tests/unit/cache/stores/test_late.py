"""A limit for all the waits of an operation."""

import math

import pytest

from lakekey.cache.stores import late
from lakekey.cache.stores.late import Limit


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until it is set."""

    class Clock:
        now = 1000.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(late, "time", clock)
    return clock


def test_each_wait_gets_what_the_ones_before_have_left(clock):
    limit = Limit(1015.0)
    assert limit.left() == 15.0
    clock.now = 1014.0
    assert limit.left() == 1.0


def test_what_has_arrived_is_read_however_late_the_process_is_woken(clock):
    limit = Limit(1015.0)
    clock.now = 5000.0
    assert 0 < limit.left() < 0.01
    clock.now = 5004.0
    assert 0 < limit.left() < 0.01


def test_flood_after_the_limit_is_cut_off(clock):
    limit = Limit(1015.0)
    clock.now = 1016.0
    limit.left()
    clock.now = 1022.0
    with pytest.raises(TimeoutError):
        limit.left()


def test_next_operation_has_all_of_its_time(clock):
    limit = Limit(1000.0)
    limit.left()
    clock.now = 1010.0
    limit.until = 1025.0
    assert limit.left() == 15.0
    clock.now = 1026.0
    assert math.isclose(limit.left(), 0.001)
