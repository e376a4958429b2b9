"""Entries that cannot be written: which are kept in this process, and when what is stored counts again."""

import os
import time

import pytest

from lakekey.cache import unwritten
from lakekey.cache.cache import Cache
from lakekey.cache.entry import Entry
from lakekey.cache.keys.in_force import Keys
from lakekey.cache.opening import open_cache
from lakekey.cache.sealed_store import SealedStore
from lakekey.cache.stores.memory import MemoryStore
from lakekey.errors import CacheError, CacheWriteFailed, KeyUnavailable, StoreUnavailable, UnsafeCache
from support.denying import Denying, hurried
from support.memory_stores import Shared
from support.model_providers import cache_over

NAME = "a" * 64
ENTRY = Entry({"host": "https://x"}, access_token="an-access-token", refresh_token="a-refresh-token", logged_in_at=1.0)
RENEWED = ENTRY._replace(access_token="another")
ROTATED = RENEWED._replace(refresh_token="its-successor")
FOR_LATER = RENEWED._replace(refresh_token="")


class Disk:
    """A store on a disk that is full while ``full`` is set, and not there while ``away`` is."""

    def __init__(self, store):
        self._store, self.full, self.away = store, False, False

    def __getattr__(self, name):
        return getattr(self._store, name)

    def put(self, entry_id, envelope, **how):
        if self.full:
            raise CacheWriteFailed("no space left on device", hint="make room")
        if self.away:
            raise StoreUnavailable("it cannot be reached", hint="start it")
        return self._store.put(entry_id, envelope, **how)

    def lock(self, entry_id, **how):
        if self.away:
            raise StoreUnavailable("it cannot be reached", hint="start it")
        if self.full:
            raise CacheWriteFailed("no space left on device", hint="make room")
        return self._store.lock(entry_id, **how)


@pytest.fixture
def disk():
    cache = open_cache()
    cache.begin()
    return Disk(cache.store)


@pytest.fixture
def cache(disk):
    cache = Cache(disk, open_cache().keys)
    yield cache
    disk.full = False
    cache.delete(NAME, replaces=cache.read(NAME).envelope)
    cache.delete(NAME, replaces=None)


def test_what_could_not_be_written_is_forgotten_as_soon_as_something_is(cache, disk):
    disk.full = True
    assert cache.put(NAME, FOR_LATER, replaces=None).entry.access_token == "another"
    assert not cache.keeps(NAME)
    disk.full = False
    stored = cache.put(NAME, FOR_LATER, replaces=None)
    assert cache.keeps(NAME)
    assert cache.delete(NAME, replaces=stored.envelope)
    assert cache.get(NAME) is None


def test_what_is_only_in_this_process_is_removed_from_it(cache, disk):
    disk.full = True
    cache.put(NAME, FOR_LATER, replaces=None)
    assert cache.delete(NAME, replaces=None)
    assert cache.get(NAME) is None
    assert not cache.delete(NAME, replaces=None)


def test_successor_of_a_stored_refresh_token_is_not_kept_in_one_process_only(cache, disk):
    stored = cache.put(NAME, ENTRY, replaces=None)
    disk.full = True
    with pytest.raises(CacheWriteFailed):
        cache.put(NAME, ROTATED, replaces=stored.envelope)
    assert cache.get(NAME) == stored.entry
    assert cache.keeps(NAME)


@pytest.mark.parametrize(
    "entry", [RENEWED, FOR_LATER, ROTATED._replace(logged_in_at=2.0)], ids=["the same", "none", "a new sign-in's"]
)
def test_entry_whose_loss_costs_no_session_is_kept_in_this_process(cache, disk, entry):
    stored = cache.put(NAME, ENTRY, replaces=None)
    disk.full = True
    kept = cache.put(NAME, entry, replaces=stored.envelope)
    assert kept == (entry._replace(generation=2), stored.envelope, False)
    assert cache.read(NAME) == kept
    assert not cache.keeps(NAME)
    with pytest.raises(CacheWriteFailed):
        cache.put(NAME, entry, replaces=stored.envelope, durable=True)


def test_what_does_not_open_is_nothing_that_could_be_lost(cache, disk):
    disk.put(NAME, b"garbage", replaces=None)
    disk.full = True
    assert cache.put(NAME, ENTRY, replaces=b"garbage").envelope == b"garbage"
    assert not cache.keeps(NAME)
    disk.full = False
    disk.delete(NAME, replaces=b"garbage")


def test_session_that_only_this_process_has_goes_on_in_it(cache, disk):
    stored = cache.put(NAME, ENTRY, replaces=None)
    disk.full = True
    cache.put(NAME, RENEWED, replaces=stored.envelope)
    assert cache.put(NAME, ROTATED, replaces=stored.envelope).entry == ROTATED._replace(generation=3)
    assert cache.get(NAME).refresh_token == ROTATED.refresh_token


@pytest.mark.parametrize("to_write", [True, False], ids=["to write", "to look"])
def test_lock_makes_the_cache_only_where_something_is_to_be_written(to_write):
    cache = open_cache()
    with cache.lock(NAME, to_write=to_write):
        assert os.path.exists(os.path.join(cache.store.where, "cache.json")) is to_write


def test_first_write_makes_the_cache():
    cache = open_cache()
    assert cache.put(NAME, ENTRY, replaces=None)
    assert open_cache().get(NAME) == ENTRY._replace(generation=1)


def test_without_the_store_only_what_can_be_had_again_is_kept(cache, disk):
    disk.away = True
    with pytest.raises(StoreUnavailable):
        cache.put(NAME, ENTRY, replaces=None)
    with pytest.raises(StoreUnavailable), cache.lock(NAME):
        pass
    replaceable = Cache(disk, cache.keys, replaceable=True)
    assert replaceable.put(NAME, FOR_LATER, replaces=None) == (FOR_LATER, None, False)
    assert replaceable.get(NAME) == FOR_LATER
    assert replaceable.put(NAME, RENEWED, replaces=None, durable=True) == (RENEWED, None, False)
    with replaceable.lock(NAME) as held, replaceable.lock(NAME) as again:
        assert (held, again) == (True, False)


@pytest.mark.parametrize(
    ("entry", "may"),
    [(None, True), (FOR_LATER, True), (ENTRY._replace(rotates=False), True), (ENTRY, False)],
    ids=["nothing", "no refresh token", "a reusable one", "a single-use one"],
)
def test_lock_on_a_full_disk_is_given_where_no_stored_token_would_be_spent(cache, disk, entry, may):
    if entry is not None:
        cache.put(NAME, entry, replaces=None)
    disk.full = True
    if may:
        with cache.lock(NAME) as held, cache.lock(NAME) as again:
            assert (held, again) == (True, False)
    else:
        with pytest.raises(CacheWriteFailed, match="could not be kept"), cache.lock(NAME):
            pass
        with cache.lock(NAME, to_write=False) as held:
            assert held


def test_session_that_only_this_process_has_is_renewed_on_a_full_disk(cache, disk):
    stored = cache.put(NAME, ENTRY._replace(rotates=True), replaces=None)
    disk.full = True
    cache.put(NAME, RENEWED._replace(rotates=True), replaces=stored.envelope)
    with cache.lock(NAME) as held:
        assert held


def test_what_a_shared_store_could_not_take_is_forgotten_as_soon_as_it_has_something(cache):
    disk = Disk(Shared())
    shared = Cache(disk, cache_over().ring, replaceable=True)
    disk.away = True
    shared.put(NAME, FOR_LATER, replaces=None)
    assert not shared.keeps(NAME)
    disk.away = False
    assert shared.put(NAME, FOR_LATER, replaces=None)
    assert shared.keeps(NAME)


def test_generation_in_a_shared_store_is_at_least_the_stores_time_in_milliseconds():
    shared, begun = cache_over(Shared()), int(time.time() * 1000)
    first = shared.put(NAME, ENTRY, replaces=None)
    assert begun <= first.entry.generation <= int(time.time() * 1000)
    later = shared.put(NAME, ENTRY._replace(generation=2 * begun), replaces=first.envelope)
    assert later.entry.generation == 2 * begun


def test_process_that_has_written_an_entry_can_heal_a_store_that_went_back():
    shared = cache_over(Shared())
    first = shared.put(NAME, ENTRY, replaces=None)
    second = shared.put(NAME, RENEWED, replaces=first.envelope)
    assert shared.store.put(NAME, first.envelope, replaces=second.envelope)
    assert shared.heal(NAME, first)
    assert shared.store.get(NAME) == second.envelope


def test_first_write_to_an_unsafe_place_goes_where_nothing_is_kept():
    class Unsafe(MemoryStore):
        def prepare(self):
            raise UnsafeCache("others could read it", hint="chmod")

    memory = cache_over()
    unsafe = Unsafe()
    cache = Cache(unsafe, Keys(unsafe, {}), instead=lambda error: (memory.store, memory.ring, error.message))
    assert cache.put(NAME, FOR_LATER, replaces=None)
    assert cache.volatile == "others could read it"
    assert memory.get(NAME).access_token == "another"
    assert unsafe.list() == []


def a_ring():
    return cache_over().ring


@pytest.mark.parametrize("of_hosts", [False, True], ids=["of a machine", "of hosts"])
def test_key_that_is_another_each_time_is_an_error(monkeypatch, of_hosts):
    hurried(monkeypatch)
    cache = cache_over(Denying(shared=of_hosts))
    monkeypatch.setattr(SealedStore, "current_ring", lambda _: a_ring())
    monkeypatch.setattr(SealedStore, "announced", lambda _: (a_ring(), os.urandom(8)))
    with pytest.raises(CacheWriteFailed, match="had another key at each write"):
        cache.put(NAME, ENTRY, replaces=None, durable=True)


@pytest.mark.parametrize("of_hosts", [False, True], ids=["of a machine", "of hosts"])
def test_under_a_key_that_is_another_each_time_only_what_loses_no_session_is_kept_here(monkeypatch, of_hosts):
    hurried(monkeypatch)
    cache = cache_over(Denying(shared=of_hosts))
    stored = cache.put(NAME, ENTRY, replaces=None)
    monkeypatch.setattr(SealedStore, "current_ring", lambda _: a_ring())
    monkeypatch.setattr(SealedStore, "announced", lambda _: (a_ring(), os.urandom(8)))
    kept = cache.put(NAME, RENEWED, replaces=stored.envelope)
    assert kept.entry.access_token == "another"
    assert kept.envelope == cache.store.get(NAME)
    assert cache.get(NAME) == kept.entry
    unwritten.forget(cache.store.where, NAME)
    there = {kept.envelope: ENTRY}
    monkeypatch.setattr(SealedStore, "entry", lambda _, __, envelope: there.get(envelope, ROTATED))
    with pytest.raises(CacheWriteFailed, match="had another key at each write") as caught:
        cache.put(NAME, ROTATED, replaces=kept.envelope)
    assert caught.value.in_doubt is not of_hosts


@pytest.mark.parametrize("trouble", ["the write", "the key"])
def test_error_after_a_write_under_a_former_key_leaves_a_doubt(cache, disk, monkeypatch, trouble):
    stored = cache.put(NAME, ENTRY, replaces=None)
    rings = iter([cache.ring, a_ring()])

    def ring(_):
        if disk.get(NAME) != stored.envelope:
            disk.full = True
            if trouble == "the key":
                raise KeyUnavailable("it cannot be read", hint="look at it")
        return next(rings)

    monkeypatch.setattr(SealedStore, "current_ring", ring)
    with pytest.raises(CacheError) as caught:
        cache.put(NAME, ROTATED, replaces=stored.envelope, durable=True)
    assert caught.value.in_doubt


def test_error_of_the_first_write_leaves_none(cache, disk):
    disk.full = True
    with pytest.raises(CacheWriteFailed) as caught:
        cache.put(NAME, ENTRY, replaces=None, durable=True)
    assert not caught.value.in_doubt
