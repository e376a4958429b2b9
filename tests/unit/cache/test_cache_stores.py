"""What a cache asks of its store, and what becomes of it where hosts share that."""

import contextlib
import time

import pytest

from lakekey.cache.cache import Cache
from lakekey.cache.entry import DISCOVERY_PREFIX, WEB_PREFIX, Entry, Stored
from lakekey.cache.envelope import seal
from lakekey.cache.keys.in_force import Keys
from lakekey.cache.keys.ring import KeyRing, format_ring, key_id
from lakekey.cache.stores.memory import MemoryStore
from lakekey.cache.stores.store import Reading
from lakekey.errors import CacheWriteFailed, KeyUnavailable, StoreUnavailable, UnsafeCache
from support.memory_stores import Shared

NAME, OTHER = "a" * 64, "b" * 64
RING = KeyRing({key_id(b"3" * 32): b"3" * 32}, key_id(b"3" * 32), "memory", "the test")
AHEAD = 600.0


class Noting(MemoryStore):
    """A store that notes how it was asked."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def put(self, entry_id, envelope, *, replaces, synced=True):
        self.asked.append(synced)
        return super().put(entry_id, envelope, replaces=replaces)

    @contextlib.contextmanager
    def lock(self, entry_id, *, to_write=True):
        self.asked.append(to_write)
        with super().lock(entry_id) as taken:
            yield taken


class Full(MemoryStore):
    """A store in which nothing can be written any more."""

    def put(self, *_, **__):
        raise CacheWriteFailed("the disk is full")


class PartlyUnsafe(MemoryStore):
    """A store in which one entry must not be believed."""

    def get(self, entry_id):
        if entry_id == OTHER:
            raise UnsafeCache("open to other users")
        return super().get(entry_id)


class Ahead(Shared):
    """A store that hosts share, whose clock is ahead of this machine's."""

    def read(self, entry_id):
        return Reading(self.get(entry_id), time.time() + AHEAD)


def test_entry_is_stored_durably_and_locked_to_be_written_unless_told_otherwise():
    cache = Cache(store := Noting(), RING)
    first = cache.put(NAME, Entry({}), replaces=None)
    cache.put(NAME, Entry({}), replaces=first.envelope, synced=False)
    for how in ({}, {"to_write": False}):
        with cache.lock(NAME, **how):
            pass
        with cache.locked(NAME, patience=0.0, **how):
            pass
    assert store.asked == [True, False, True, True, False, False]


def test_entry_that_need_not_be_durable_is_kept_in_this_process_where_nothing_can_be_written():
    cache = Cache(Full(), RING)
    entry = Entry({}, access_token="alive")
    with pytest.raises(CacheWriteFailed):
        cache.put(NAME, entry, replaces=None, durable=True)
    assert cache.keeps(NAME)
    assert cache.put(NAME, entry, replaces=None).entry.access_token == "alive"
    assert not cache.keeps(NAME)
    assert cache.keeps(OTHER)
    assert not Cache(MemoryStore(), RING, volatile="why").keeps(OTHER)


def test_walk_goes_on_past_what_cannot_be_read_and_what_is_no_session():
    cache = Cache(store := PartlyUnsafe(), RING)
    for name in (NAME, OTHER, f"{DISCOVERY_PREFIX}d", f"{WEB_PREFIX}d"):
        store.put(name, seal(RING, name, Entry({}).to_bytes()), replaces=None)
    (first, stored), (second, error) = cache.walk()
    assert (first, stored.entry) == (NAME, Entry({}))
    assert (second, error.message) == (OTHER, "open to other users")


def test_damage_is_reported_as_what_it_is(caplog):
    store = MemoryStore()
    store.put(NAME, seal(RING, NAME, b"[]"), replaces=None)
    store.put(OTHER, b"garbage", replaces=None)
    cache = Cache(store, RING)
    assert all(cache.read(name).damaged for name in (NAME, OTHER))
    assert ["its content is not an entry" in record.getMessage() for record in caplog.records] == [True, False]


def test_store_that_is_away_is_an_error_unless_what_it_keeps_can_be_had_again(caplog):
    store = Shared()
    store.away = True
    with pytest.raises(StoreUnavailable):
        Cache(store, RING).read(NAME)
    assert [Cache(store, RING, replaceable=True).read(NAME) for _ in range(2)] == [Stored(None, None)] * 2
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_cache_does_not_begin_under_a_key_that_other_hosts_do_not_have(tmp_path):
    tmp_path.chmod(0o700)
    store, environ = Shared(), {"HOME": str(tmp_path), "APPDATA": str(tmp_path)}
    Cache(store, Keys(store, {**environ, "LAKEKEY_KEY": format_ring((b"1" * 32,))})).begin()
    with pytest.raises(KeyUnavailable):
        Cache(store, Keys(store, {**environ, "LAKEKEY_KEY": format_ring((b"2" * 32,))})).begin()


def test_times_are_the_stores_where_hosts_share_it():
    store = Ahead()
    store.put(NAME, seal(RING, NAME, Entry({}, expires_at=10_000.0).to_bytes()), replaces=None)
    here = Cache(MemoryStore(), RING)
    assert here.now() == pytest.approx(time.time(), abs=60)
    assert here.in_store_time(Entry({}, expires_at=10_000.0)).expires_at == 10_000.0
    for look in (lambda cache: cache.read(NAME), lambda cache: next(cache.walk())[1]):
        cache = Cache(store, RING)
        entry = look(cache).entry
        assert entry.expires_at == pytest.approx(10_000 - AHEAD, abs=60)
        assert cache.in_store_time(entry).expires_at == 10_000.0
        assert cache.now() == pytest.approx(time.time() + AHEAD, abs=60)


def test_store_that_went_back_in_time_is_offered_the_newer_bytes():
    store = Shared()
    older, newer = (seal(RING, NAME, Entry({}, generation=number).to_bytes()) for number in (1, 2))
    store.put(NAME, newer, replaces=None)
    cache = Cache(store, RING)
    assert not cache.heal(NAME, cache.read(NAME))
    store.put(NAME, older, replaces=newer)
    assert cache.heal(NAME, cache.read(NAME))
    assert cache.get(NAME).generation == 2
    ours = Cache(MemoryStore(), RING)
    assert not ours.heal(NAME, ours.read(NAME))
