"""The newest bytes of an entry that a process has seen, and what a store that went back in time is offered."""

import logging

import pytest

from lakekey.cache.entry import Entry, Stored
from lakekey.cache.newest_seen import NewestSeen
from lakekey.cache.stores.memory import MemoryStore

NAME = "a" * 64
OLD = Stored(Entry({}, generation=5), b"old")


@pytest.fixture
def store():
    store = MemoryStore()
    store.put(NAME, b"old", replaces=None)
    return store


def test_store_that_went_back_is_offered_the_newest_bytes(store, caplog):
    seen = NewestSeen()
    seen.note(NAME, 7, b"newest")
    seen.note(NAME, 6, b"older")
    with caplog.at_level(logging.WARNING, "lakekey.cache"):
        assert seen.heal(store, NAME, OLD)
    assert store.get(NAME) == b"newest"
    assert f"memory: went back in time; the newer entry {NAME[:12]} is put there again" in caplog.text


def test_bytes_of_the_same_generation_take_the_place_of_those_before(store):
    seen = NewestSeen()
    seen.note(NAME, 7, b"first")
    seen.note(NAME, 7, b"sealed again")
    assert seen.heal(store, NAME, OLD)
    assert store.get(NAME) == b"sealed again"


@pytest.mark.parametrize("stored", [OLD._replace(entry=Entry({}, generation=7)), Stored(None, b"old")])
def test_store_that_has_the_newest_or_nothing_that_opens_is_offered_nothing(store, stored):
    seen = NewestSeen()
    seen.note(NAME, 7, b"newest")
    assert not seen.heal(store, NAME, stored)
    assert store.get(NAME) == b"old"


def test_process_that_has_seen_nothing_offers_nothing(store):
    assert not NewestSeen().heal(store, NAME, OLD._replace(entry=Entry({}, generation=0)))
    assert store.get(NAME) == b"old"


def test_newest_entries_of_200_are_remembered_those_used_last(store):
    seen = NewestSeen()
    seen.note(NAME, 7, b"newest")
    for number in range(199):
        seen.note(f"{number:064d}", 1, b"another")
    seen.note(NAME, 8, b"used last")
    seen.note("b" * 64, 1, b"the 201st")
    assert seen.heal(store, NAME, OLD)
    assert store.get(NAME) == b"used last"
    other = Stored(Entry({}, generation=0), None)
    assert not seen.heal(store, f"{0:064d}", other)
    assert seen.heal(store, f"{1:064d}", other)
