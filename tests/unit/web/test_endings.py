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


PEOPLE = [ENDING._replace(user=f"{name}@example.com") for name in ("ada", "bob", "cy", "dee", "eve")]


class Hook:
    """A host's hook, which fails for some.

    Attributes:
        told: The ends that it was told of.
    """

    def __init__(self, meanwhile=None):
        self.told, self._meanwhile = [], meanwhile or {}

    def __call__(self, ending):
        name = ending.user.partition("@")[0]
        self.told.append(name)
        if name in self._meanwhile:
            self._meanwhile[name]()
            raise ValueError("no mail")


def noes_of_one_note(cache):
    """How often a store that takes no note is asked to take one."""
    cache.store.deny()
    with pytest.raises(CacheWriteFailed):
        everyones(cache).mark(PEOPLE[0])
    noes = next(cache.store._asked) - 1
    cache.store.deny(0)
    return noes


def everyones(cache):
    return Notes(cache, [(each.user, each.profile) for each in PEOPLE])


def test_hook_that_fails_for_one_is_told_of_the_others_and_of_that_one_again(cache):
    assert [each.user for each in everyones(cache).tell(PEOPLE[:3], Hook({"bob": lambda: None}))] == [
        "ada@example.com",
        "cy@example.com",
    ]
    again = Hook()
    assert everyones(cache).tell(PEOPLE[:3], again) == PEOPLE[1:2]
    assert again.told == ["bob"]


def test_note_that_cannot_be_taken_back_keeps_no_other_from_being_told(cache, caplog):
    noes = noes_of_one_note(cache)  # after which the store is right again, for the next one
    hook = Hook({"ada": lambda: cache.store.deny(noes)})
    with pytest.raises(CacheWriteFailed, match="took none of the notes"):
        everyones(cache).tell(PEOPLE[:3], hook)
    assert hook.told == ["ada", "bob", "cy"]
    assert "the end of the connection prod of ada@example.com is not told of" in caplog.text


def test_store_that_takes_no_note_is_asked_for_a_few_people_only(cache):
    cache.store.deny(3 * noes_of_one_note(cache))
    hook = Hook()
    with pytest.raises(CacheWriteFailed, match="took none of the notes"):
        everyones(cache).tell(PEOPLE, hook)
    assert hook.told == []
    assert everyones(cache).tell(PEOPLE, hook) == PEOPLE
