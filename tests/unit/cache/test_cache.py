"""The cache as a whole: entries in, entries out, sealed in between."""

import base64
import logging
import os
import threading

import pytest

from lakekey.cache.cache import Cache
from lakekey.cache.entry import Entry
from lakekey.cache.envelope import key_id_of, seal
from lakekey.cache.keys.choice import NOTE
from lakekey.cache.keys.in_force import Keys
from lakekey.cache.keys.ring import format_ring, key_id
from lakekey.cache.keys.sources import choice_of
from lakekey.cache.opening import open_cache
from lakekey.cache.rotation import rotate
from lakekey.cache.sealed_store import SealedStore
from lakekey.cache.stores.memory import MemoryStore
from lakekey.errors import CacheError, CacheWriteFailed, ConfigurationError, KeyUnavailable, LockTimeout
from lakekey.oauth.transport import MAX_BODY

NAME = "a" * 64
ENTRY = Entry({"host": "https://x"}, generation=1, access_token="an-access-token", refresh_token="a-refresh-token")


@pytest.fixture
def cache():
    cache = open_cache()
    cache.begin()
    return cache


def test_an_entry_is_found_again_by_another_opening(cache):
    assert cache.put(NAME, ENTRY, replaces=None)
    assert open_cache().get(NAME) == ENTRY


def test_the_largest_answer_that_is_taken_from_a_server_is_found_again(cache):
    # Each field alone may fill an answer, and be three times as long in JSON: its tokens, and a token that it omits.
    largest = "é" * (MAX_BODY // 2)
    entry = ENTRY._replace(refresh_token=largest, scopes=(largest,))
    assert cache.put(NAME, entry, replaces=None)
    assert open_cache().get(NAME) == entry


def test_the_bytes_that_were_read_are_what_a_write_replaces(cache):
    cache.put(NAME, ENTRY, replaces=None)
    read = cache.read(NAME)
    assert not cache.put(NAME, ENTRY._replace(generation=2), replaces=None)
    assert cache.put(NAME, ENTRY._replace(generation=2), replaces=read.envelope)
    assert not cache.put(NAME, ENTRY._replace(generation=3), replaces=read.envelope)
    assert cache.get(NAME).generation == 2


def test_equal_entries_are_different_writes(cache):
    cache.put(NAME, ENTRY, replaces=None)
    first = cache.read(NAME).envelope
    cache.put(NAME, ENTRY, replaces=first)
    assert not cache.delete(NAME, replaces=first)
    assert cache.get(NAME) == ENTRY._replace(generation=2)


@pytest.mark.parametrize("content", [b"", b"garbage", b"LKEY\x01" + bytes(80)[:40]], ids=["empty", "garbage", "short"])
def test_an_entry_that_does_not_open_counts_as_none_and_is_reported(cache, content, caplog):
    cache.store.put(NAME, content, replaces=None)
    with caplog.at_level(logging.WARNING, "lakekey.cache"):
        assert cache.read(NAME) == (None, None, True)
    assert "set aside" in caplog.text
    assert cache.list() == []
    assert cache.put(NAME, ENTRY, replaces=None)


def test_an_entry_under_a_key_that_is_not_at_hand_is_left_as_it_is(cache, monkeypatch):
    cache.put(NAME, ENTRY, replaces=None)
    os.replace(cache.ring.where, cache.ring.where + ".elsewhere")
    with pytest.raises(KeyUnavailable, match="is gone"):
        open_cache()
    with open(cache.ring.where, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(base64.b64encode(bytes(32)))
    with pytest.raises(KeyUnavailable, match=cache.ring.current.hex()):
        open_cache().get(NAME)
    os.replace(cache.ring.where + ".elsewhere", cache.ring.where)
    assert cache.get(NAME) == ENTRY


def test_a_store_in_memory_leaves_nothing_behind(monkeypatch, bare_machine):
    monkeypatch.setenv("LAKEKEY_STORE", "memory:")
    cache = open_cache()
    cache.put(NAME, ENTRY, replaces=None)
    assert open_cache().get(NAME) == ENTRY
    assert list(bare_machine.rglob("*")) == []
    cache.delete(NAME, replaces=cache.read(NAME).envelope)


def test_a_store_that_this_release_does_not_have_is_a_configuration_error(monkeypatch):
    monkeypatch.setenv("LAKEKEY_STORE", "pigeon://loft:hunter2@roof/")
    with pytest.raises(ConfigurationError, match="'pigeon'") as caught:
        open_cache()
    assert "hunter2" not in str(caught.value)


@pytest.mark.linux_desktop
def test_the_cache_is_in_the_users_state_directory_unless_told_otherwise(bare_machine):
    environ = {"XDG_STATE_HOME": str(bare_machine / "state"), "LAKEKEY_KEY_SOURCE": "file"}
    assert open_cache(environ).store.where == str(bare_machine / "state" / "lakekey")
    environ["LAKEKEY_CACHE_DIR"] = str(bare_machine / "elsewhere")
    assert open_cache(environ).store.where == str(bare_machine / "elsewhere")
    environ["LAKEKEY_STORE"] = f"file:{bare_machine / 'named'}"
    assert open_cache(environ).store.where == str(bare_machine / "named")


def test_the_repr_of_a_cache_shows_no_key(cache):
    key = next(iter(cache.ring.keys.values()))
    assert key.hex() not in repr(cache)
    assert cache.store.where in repr(cache)


def test_put_counts_the_generation(cache):
    entry = Entry({"host": "https://x"})
    first = cache.put(NAME, entry, replaces=None)
    second = cache.put(NAME, entry, replaces=first.envelope)
    assert (first.entry.generation, second.entry.generation) == (1, 2)
    assert cache.read(NAME) == second
    later = cache.put(NAME, entry._replace(generation=9), replaces=second.envelope)  # the caller knows of a later one
    assert later.entry.generation == 9


def later_release(cache):
    """What a later release may have stored: an envelope of another version, an entry of another format."""
    envelope = bytearray(seal(cache.ring, NAME, ENTRY.to_bytes()))
    envelope[4] = 2
    envelope[-1] ^= 1  # its layout is its own, so as version 1 it does not open
    return {"envelope": bytes(envelope), "entry": seal(cache.ring, NAME, b'{"format":3,"about":{}}')}


@pytest.mark.parametrize("what", ["envelope", "entry"])
def test_entry_of_a_later_release_is_left_alone(cache, what):
    content = later_release(cache)[what]
    assert cache.store.put(NAME, content, replaces=None)
    for attempt in (
        lambda: cache.get(NAME),
        lambda: cache.put(NAME, ENTRY, replaces=content),
        lambda: rotate(cache),
    ):
        with pytest.raises(CacheError, match="later release") as caught:
            attempt()
        assert "upgrade" in caught.value.hint
        assert cache.store.get(NAME) == content


def test_altered_version_of_an_envelope_is_damage(cache):
    envelope = bytearray(seal(cache.ring, NAME, ENTRY.to_bytes()))
    envelope[4] = 2
    cache.store.put(NAME, bytes(envelope), replaces=None)
    assert cache.get(NAME) is None
    assert cache.list() == []


def test_wait_for_a_lock_ends_with_the_holder_named(cache):
    with cache.lock(NAME), pytest.raises(LockTimeout, match=f"process {os.getpid()} has held entry {NAME[:12]} of"):
        cache.locked(NAME, patience=0.05).__enter__()


def test_wait_for_a_lock_ends_with_what_its_pause_raises(cache):
    def give_up(_seconds):
        raise InterruptedError

    with cache.lock(NAME), pytest.raises(InterruptedError):
        cache.locked(NAME, patience=60, pause=give_up).__enter__()


def test_lock_that_was_waited_for_comes_with_the_entry(cache):
    cache.put(NAME, ENTRY, replaces=None)
    held = threading.Event()
    free = threading.Event()

    def hold():
        with cache.lock(NAME):
            held.set()
            free.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    with cache.locked(NAME, patience=10, pause=lambda _seconds: (free.set(), thread.join())) as stored:
        assert stored.entry == ENTRY
    thread.join()


class RotatesMeanwhile:
    """A store in which the key is rotated after an entry was sealed, before it is put."""

    def __init__(self, store, rotate):
        self._store, self._rotate = store, [rotate]

    def __getattr__(self, name):
        return getattr(self._store, name)

    def put(self, entry_id, envelope, **how):
        if self._rotate:
            self._rotate.pop()()
        return self._store.put(entry_id, envelope, **how)


def test_entry_sealed_before_a_rotation_and_put_after_it_is_sealed_again(cache):
    cache.put("b" * 64, ENTRY, replaces=None)
    meanwhile = RotatesMeanwhile(cache.store, lambda: rotate(open_cache()))
    assert Cache(meanwhile, cache.keys).put(NAME, ENTRY, replaces=None)
    fresh = open_cache()
    assert key_id_of(fresh.store.get(NAME)) == fresh.ring.current.hex()
    assert fresh.get(NAME) == ENTRY


def test_newer_entry_is_not_deleted(cache):
    content = seal(cache.ring, NAME, b'{"format":3,"about":{}}')
    cache.store.put(NAME, content, replaces=None)
    with pytest.raises(CacheError, match="later release"):
        cache.delete(NAME, replaces=content)
    assert cache.store.get(NAME) == content


class SharedInMemory:
    """A store in memory that several hosts would share."""

    shared = spans_machines = True

    def __init__(self, store):
        self._store = store

    def __getattr__(self, name):
        return getattr(self._store, name)

    def put(self, entry_id, envelope, *, under=None, **how):
        if under is not None and self._store.read_note(under.name) != under.content:
            return False
        return self._store.put(entry_id, envelope, **how)


@pytest.mark.parametrize("looks", range(1, 5))
def test_thread_that_reads_the_new_ring_meanwhile_leads_no_other_to_seal_under_the_old_key(monkeypatch, looks):
    store = MemoryStore()
    old, new = os.urandom(32), os.urandom(32)
    monkeypatch.setenv("LAKEKEY_KEY_SOURCE", "env")
    monkeypatch.setenv("LAKEKEY_KEY", format_ring((old,)))
    keys = Keys(store, os.environ)
    cache = Cache(SharedInMemory(store), keys)
    cache.begin()
    done = store.read_note(NOTE)
    store.swap_note(NOTE, choice_of(store, done)._replace(rotations=1).to_bytes(), replaces=done)
    monkeypatch.setenv("LAKEKEY_KEY", format_ring((new, old)))
    before = iter(range(looks))

    def ring_and_then_another_thread_looks(sealed):
        ring = sealed.keys.ring
        if next(before, None) is None:
            sealed.keys.look()
        return ring

    monkeypatch.setattr(SealedStore, "ring", property(ring_and_then_another_thread_looks))
    assert cache.put(NAME, ENTRY, replaces=None)
    assert key_id_of(store.get(NAME)) == key_id(new).hex()


def test_rotation_ends_though_a_bad_entry_cannot_be_moved_away(cache, monkeypatch):
    cache.put("b" * 64, ENTRY, replaces=None)
    cache.put(NAME, ENTRY, replaces=None)
    bad = cache.store.get(NAME)[:-1] + b"!"
    cache.store.put(NAME, bad, replaces=cache.store.get(NAME))
    old = cache.ring.current.hex()

    def denied(_entry_id, _envelope):
        raise CacheWriteFailed("the folder cannot be written to")

    monkeypatch.setattr(cache.store, "set_aside", denied)
    done = rotate(cache)
    assert (done.unreadable, done.resealed, done.dropped) == ((NAME,), 1, (old,))
    assert (cache.store.get(NAME), cache.get("b" * 64)) == (bad, ENTRY)


def test_threads_that_look_for_the_keys_at_once_all_find_them(bare_machine):
    """The first request of a program with many threads: none may see the keys half found."""
    both = threading.Barrier(2)
    made = []

    def find():
        both.wait(30)  # each thread has seen that they were not found yet
        made.append(Keys(MemoryStore(), {"LAKEKEY_KEY": base64.b64encode(bytes(32)).decode()}))
        return made[-1]

    sealed = SealedStore(MemoryStore(), find, volatile=None, instead=None, replaceable=False)
    seen = []
    threads = [threading.Thread(target=lambda: seen.append((sealed.keys, sealed.ring))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(made) == len(seen) == 2
    assert all(keys in made and ring.keys for keys, ring in seen)
    assert sealed.keys in made and len(made) == 2  # and no thread looks for them again
