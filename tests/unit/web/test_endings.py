"""Notes of ends that were told of: what becomes of them in a store that says no."""

from datetime import UTC, datetime

import pytest

from lakekey.errors import CacheWriteFailed
from lakekey.web.endings import Ending, Notes
from support.denying import Denying, hurried
from support.model_providers import cache_over

ENDING = Ending("ada@example.com", "prod", "hour", datetime(2030, 1, 1, tzinfo=UTC), "https://portal.example.com")


@pytest.fixture
def cache(monkeypatch):
    hurried(monkeypatch)
    return cache_over(Denying())


def notes(cache):
    return Notes(cache, [(ENDING.user, ENDING.profile)])


def test_store_that_takes_no_note_is_not_asked_for_ever(cache):
    cache.store.deny()
    with pytest.raises(CacheWriteFailed, match="took none of the notes"):
        notes(cache).mark(ENDING)
    cache.store.deny(0)
    assert notes(cache).mark(ENDING)
    cache.store.deny()
    with pytest.raises(CacheWriteFailed, match="took none of the notes"):
        notes(cache).unmark(ENDING)


def test_note_that_the_store_did_not_take_at_first_is_made_and_taken_back(cache):
    cache.store.deny(2)
    assert notes(cache).mark(ENDING)
    assert not notes(cache).mark(ENDING)
    cache.store.deny(2)
    notes(cache).unmark(ENDING)
    assert notes(cache).mark(ENDING)
