"""A store that says no to a change is asked again, with pauses, and not for ever."""

import pytest

from lakekey.cache.refusals import Refusals
from lakekey.cache.stores.memory import MemoryStore
from lakekey.errors import CacheWriteFailed
from support.denying import Denying, hurried


def waits(refusals, *, clock=None, takes=0.0):
    """How often it waits until it is over; a try may take a while."""
    for count in range(10_000):
        try:
            refusals.wait()
        except CacheWriteFailed as error:
            return count, error
        if clock is not None:
            clock.sleep(takes)
    raise AssertionError("it is asked without end")


def test_store_is_asked_for_its_patience_with_pauses(monkeypatch):
    clock = hurried(monkeypatch)
    begun = clock.monotonic()
    count, error = waits(Refusals(MemoryStore(), "took none of the writes", patience=5.0))
    assert 5.0 < clock.monotonic() - begun < 6.0
    assert 20 < count < 1000
    assert str(error.message) == "memory: took none of the writes, and gave no error"


def test_store_is_asked_a_few_times_also_where_each_takes_longer_than_the_patience(monkeypatch):
    clock = hurried(monkeypatch)
    assert waits(Refusals(MemoryStore(), "took none", patience=1.0), clock=clock, takes=60.0)[0] == 3


@pytest.mark.parametrize(("shared", "command"), [(True, "lakekey store check"), (False, "lakekey doctor")])
def test_next_step_looks_at_that_kind_of_store(monkeypatch, shared, command):
    hurried(monkeypatch)
    assert command in waits(Refusals(Denying(shared=shared), "took none"))[1].hint


def test_pause_is_the_callers():
    paused = []
    Refusals(MemoryStore(), "took none", pause=paused.append).wait(0.5)
    assert paused == [0.5]
