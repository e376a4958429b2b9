"""Changing the master key: what is sealed again, what keeps the old key, and what is refused."""

import base64
import json
import logging
import os

import pytest

from lakekey.cache.cache import Cache
from lakekey.cache.entry import DISCOVERY_PREFIX, Entry
from lakekey.cache.envelope import key_id_of
from lakekey.cache.keys import anchor
from lakekey.cache.keys.choice import NOTE, ChangedElsewhere, KeyChoice, parse, raw_choice
from lakekey.cache.keys.in_force import Keys
from lakekey.cache.keys.ring import new_key
from lakekey.cache.rotation import _moves, _tidy, rotate
from lakekey.cache.stores.file import FileStore
from lakekey.cache.stores.memory import MemoryStore
from lakekey.errors import (
    CacheWriteFailed,
    ConfigurationError,
    KeyUnavailable,
    LockTimeout,
    StoreUnavailable,
    UnsafeCache,
)
from support.denying import Denying, hurried
from support.memory_stores import Shared
from support.model_providers import cache_over
from support.ring_texts import ID_OF_ONE, ID_OF_TWO, ONE, PASSPHRASE, TWO

NAMES = tuple(letter * 64 for letter in "abc")
NO_WAIT = 0.0


@pytest.fixture
def environ(tmp_path):
    tmp_path.chmod(0o700)
    home = {"HOME": str(tmp_path), "APPDATA": str(tmp_path)}
    return {**home, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "cache"


def opened(store, environ, *, moving=False):
    return Cache(store, Keys(store, environ, moving=moving))


@pytest.fixture
def cache(directory, environ):
    """A cache of three entries under a key file."""
    return filled(opened(FileStore(str(directory)), {**environ, "LAKEKEY_KEY_SOURCE": "file"}))


def filled(cache):
    for name in NAMES:
        assert cache.put(name, Entry({}, refresh_token=name), replaces=None)
    return cache


def sealed_under(cache, name=NAMES[0]):
    return key_id_of(cache.store.get(name))


def note_of(cache):
    return json.loads(cache.store.read_note(NOTE))


# A key of our own


def test_new_key_seals_everything_and_the_old_one_goes(cache, caplog):
    caplog.set_level(logging.INFO, "lakekey")
    before = cache.ring.current.hex()
    done = rotate(cache)
    assert (done.continued, done.resealed, done.dropped, done.unused) == (False, 3, (before,), ())
    assert (done.busy, done.unreadable) == ((), ())
    assert {sealed_under(cache, name) for name in NAMES} == {done.current}
    assert {key.hex() for key in cache.keys.look().keys} == {done.current}
    assert note_of(cache)["current"] == done.current != before
    assert [cache.get(name).refresh_token for name in NAMES] == list(NAMES)
    assert f"a new key for the token cache in {cache.store.where}, kept by source file" in caplog.text
    assert f"key_change done: action=rotated detail=file {done.current}, 3 sealed again" in caplog.text


def test_each_change_of_the_ring_is_counted_in_the_note(cache):
    for rotations in (2, 4):  # the new key in, the old one out
        rotate(cache)
        assert note_of(cache)["rotations"] == rotations


def test_entry_that_is_held_keeps_the_old_key_and_the_next_rotation_goes_on(cache, caplog):
    caplog.set_level(logging.INFO, "lakekey")
    before = cache.ring.current.hex()
    with cache.lock(NAMES[0]):
        held = rotate(cache, patience=NO_WAIT)
    assert (held.resealed, held.busy, held.dropped) == (2, (NAMES[0],), ())
    assert before in {key.hex() for key in cache.ring.keys}
    assert "key_change failed: action=rotated" in caplog.text
    done = rotate(cache, patience=NO_WAIT)
    assert (done.continued, done.current, done.resealed, done.dropped) == (True, held.current, 1, (before,))


@pytest.mark.parametrize("what", ["removed", "sealed under the new key"])
def test_entry_that_another_process_changed_meanwhile_is_left_as_it_is(cache, monkeypatch, what):
    lock = cache.store.lock

    def changed(entry_id, **how):
        monkeypatch.setattr(cache.store, "lock", lock)
        stored = cache.read(entry_id)
        if what == "removed":
            assert cache.delete(entry_id, replaces=stored.envelope)
        else:
            assert cache.put(entry_id, stored.entry._replace(identity="newer"), replaces=stored.envelope)
        return lock(entry_id, **how)

    monkeypatch.setattr(cache.store, "lock", changed)
    assert rotate(cache).resealed == 2
    found = cache.get(NAMES[0])
    assert found is None if what == "removed" else found.identity == "newer"


@pytest.mark.parametrize(
    ("chosen", "to", "service", "moves"),
    [
        (KeyChoice("file", ""), "file", "", False),
        (KeyChoice("file", ""), "passphrase", "", True),
        (KeyChoice("file", ""), "kms", "one", True),
        (KeyChoice("kms", "", kms="one"), "kms", "one", False),
        (KeyChoice("kms", "", kms="one"), "kms", "", False),
        (KeyChoice("kms", "", kms="one"), "kms", "two", True),
        (KeyChoice("file", ""), "file", "two", False),
    ],
)
def test_ring_moves_to_another_source_or_to_another_service(chosen, to, service, moves):
    assert _moves(chosen, to, Keys(MemoryStore(), {"LAKEKEY_KMS": service})) is moves


def test_what_is_kept_of_authorization_servers_is_not_sealed_again(cache):
    name = f"{DISCOVERY_PREFIX}{'d' * 54}"
    cache.put(name, Entry({}), replaces=None)
    before = sealed_under(cache, name)
    assert rotate(cache).resealed == 3
    assert sealed_under(cache, name) == before


@pytest.mark.posix_owners
def test_entry_that_others_could_read_stops_the_end_of_a_rotation_and_no_other_entry(cache, directory):
    before = cache.ring.current.hex()
    (directory / "entries" / f"{NAMES[0]}.entry").chmod(0o644)
    with pytest.raises(UnsafeCache):
        rotate(cache)
    assert before in {key.hex() for key in cache.keys.look().keys}
    assert sealed_under(cache, NAMES[1]) == cache.ring.current.hex()


def test_key_that_lives_in_this_process_only_is_not_changed():
    with pytest.raises(ConfigurationError, match="exists in this process only"):
        rotate(cache_over())


def test_disk_that_is_full_is_an_error_of_the_cache(cache, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(CacheWriteFailed, match=r"cannot change the key of the cache in .*: No space left") as caught:
        rotate(cache)
    assert str(cache.store.where) in caught.value.hint


def test_source_that_another_process_changed_meanwhile_is_not_written_over(cache, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(cache.store, "swap_note", lambda *_, **__: False)
        with pytest.raises(LockTimeout, match="has changed the key of the cache"):
            rotate(cache)
    assert rotate(cache).continued  # with the key that was made and not announced
    assert cache.get(NAMES[0]).refresh_token == NAMES[0]


# A move to another source


def test_ring_that_moves_gets_a_new_key_and_leaves_its_old_place(cache, environ, directory, caplog):
    caplog.set_level(logging.INFO, "lakekey")
    before = cache.ring.current.hex()
    anchor.remember(environ, cache.store.where, KeyChoice("env", "it was there once"))
    confirmed = {**environ, "LAKEKEY_PASSPHRASE": PASSPHRASE, "LAKEKEY_KEY_SOURCE": "file"}
    moved = opened(cache.store, confirmed, moving=True)
    done = rotate(moved, to="passphrase")
    assert (done.continued, done.resealed, done.dropped) == (False, 3, (before,))
    assert note_of(moved)["source"] == anchor.recall(environ, cache.store.where).source == "passphrase"
    assert "key_change done: action=moved" in caplog.text
    assert not (directory / "master.key").exists()
    later = opened(cache.store, {**environ, "LAKEKEY_PASSPHRASE": PASSPHRASE})
    assert later.get(NAMES[0]).refresh_token == NAMES[0]


def test_choice_that_another_writes_just_before_a_rotation_is_looked_at_as_well(environ, monkeypatch):
    store = MemoryStore()
    settings = {**environ, "LAKEKEY_PASSPHRASE": PASSPHRASE}
    cache = filled(opened(store, settings))
    before = store.get(NAMES[0])

    def planted(place):
        store.write_note("master.key", ONE.encode())
        store.swap_note(NOTE, KeyChoice("file", "as ever").to_bytes(), replaces=store.read_note(NOTE))
        return raw_choice(place)

    monkeypatch.setattr("lakekey.cache.rotation.raw_choice", planted)
    with pytest.raises(KeyUnavailable, match="could have put there"):
        rotate(opened(store, settings, moving=True), to="passphrase")
    assert (store.get(NAMES[0]), store.read_note("master.key")) == (before, ONE.encode())
    assert cache.get(NAMES[0]).refresh_token == NAMES[0]


def test_old_key_that_cannot_be_taken_out_of_the_keyring_is_reported(environ, caplog):
    former = KeyChoice("keyring", "", backend="keyring.backends.fail.Keyring", item="of-before")
    _tidy(former, KeyChoice("file", ""), Keys(MemoryStore(), environ))
    assert "the old key is left in the keyring, where it opens nothing" in caplog.text


def test_ring_that_is_moved_where_it_is_gets_a_new_key_there(cache):
    before = cache.ring.current
    assert not rotate(cache, to="file").continued
    assert cache.ring.current != before
    assert (cache.ring.source, note_of(cache)["why"]) == ("file", "LAKEKEY_KEY_SOURCE asks for it")


@pytest.mark.parametrize(("before", "to"), [("file", "passphrase"), ("passphrase", "file")])
def test_copy_outside_the_cache_is_never_stronger_than_the_choice(environ, directory, monkeypatch, before, to):
    known = {"passphrase": {"LAKEKEY_PASSPHRASE": PASSPHRASE}, "file": {"LAKEKEY_KEY_SOURCE": "file"}}
    store = FileStore(str(directory))
    filled(opened(store, {**environ, **known[before]}))
    moved = opened(store, {**environ, **known["passphrase"], **known[to]}, moving=True)
    monkeypatch.setattr(store, "swap_note", lambda *_, **__: False)  # or it is killed there
    with pytest.raises(LockTimeout):
        rotate(moved, to=to)
    assert anchor.recall(environ, store.where) is None


def test_old_place_stays_while_an_entry_is_held(cache, environ, directory):
    moved = opened(cache.store, {**environ, "LAKEKEY_PASSPHRASE": PASSPHRASE}, moving=True)
    with cache.lock(NAMES[0]):
        assert rotate(moved, to="passphrase", patience=NO_WAIT).busy
    assert (directory / "master.key").exists()


# A key that is given


@pytest.mark.parametrize("store", [MemoryStore, Shared])
def test_key_that_is_given_is_changed_where_it_is_given(environ, store):
    cache = filled(opened(store(), {**environ, "LAKEKEY_KEY": ONE}))
    with pytest.raises(ConfigurationError, match="comes from LAKEKEY_KEY, which lakekey cannot change") as caught:
        rotate(cache)
    assert caught.value.hint.startswith("set LAKEKEY_KEY to a new key and the old one")
    both = opened(cache.store, {**environ, "LAKEKEY_KEY": f"{TWO}\n{ONE}"})
    done = rotate(both)
    assert (done.current, done.resealed, done.dropped, done.unused) == (ID_OF_TWO, 3, (), (ID_OF_ONE,))
    assert not done.continued
    assert {sealed_under(both, name) for name in NAMES} == {ID_OF_TWO}
    if cache.store.shared:
        assert (note_of(both)["current"], note_of(both)["rotations"]) == (ID_OF_TWO, 1)
    again = rotate(both)
    assert (again.resealed, again.unused) == (0, (ID_OF_ONE,))
    if cache.store.shared:
        assert note_of(both)["rotations"] == 1  # said once


def test_mounted_key_is_changed_in_its_file(environ, tmp_path):
    file = tmp_path / "key"
    file.write_text(ONE)
    file.chmod(0o600)
    cache = filled(opened(MemoryStore(), {**environ, "LAKEKEY_KEY_FILE": str(file)}))
    with pytest.raises(ConfigurationError) as caught:
        rotate(cache)
    assert caught.value.hint.startswith(f"put a new key above the old one in {file}")


def test_given_key_is_not_announced_while_an_entry_is_held(environ):
    cache = filled(opened(Shared(), {**environ, "LAKEKEY_KEY": ONE}))
    both = opened(cache.store, {**environ, "LAKEKEY_KEY": f"{TWO}\n{ONE}"})
    with cache.lock(NAMES[0]):
        done = rotate(both, patience=NO_WAIT)
    assert (done.resealed, done.busy, done.unused) == (2, (NAMES[0],), ())
    assert note_of(both)["current"] == ID_OF_ONE


def test_damaged_entry_is_counted_and_keeps_no_key(environ):
    class Stuck(MemoryStore):
        """A store from which nothing can be moved away."""

        def set_aside(self, entry_id, envelope):
            raise CacheWriteFailed("read-only", hint="")

    cache = filled(opened(Stuck(), {**environ, "LAKEKEY_KEY": f"{TWO}\n{ONE}"}))
    good = cache.store.get(NAMES[0])
    cache.store.put(NAMES[0], good[:5] + bytes.fromhex(ID_OF_ONE) + good[13:-1] + bytes([good[-1] ^ 1]), replaces=good)
    done = rotate(cache)
    assert (done.unreadable, done.busy) == ((NAMES[0],), ())


def test_entry_under_a_key_that_is_not_at_hand_is_left_as_it_is(environ):
    elsewhere = filled(opened(MemoryStore(), {**environ, "LAKEKEY_KEY": base64.b64encode(new_key()).decode()}))
    cache = opened(MemoryStore(), {**environ, "LAKEKEY_KEY": f"{TWO}\n{ONE}"})
    foreign = elsewhere.store.get(NAMES[0])
    cache.store.put(NAMES[0], foreign, replaces=None)
    assert rotate(cache).unreadable == (NAMES[0],)
    assert cache.store.get(NAMES[0]) == foreign


# A store that hosts share


@pytest.fixture
def shared(environ):
    cache = filled(opened(Shared(), {**environ, "LAKEKEY_KEY": ONE}))
    return opened(cache.store, {**environ, "LAKEKEY_KEY": f"{TWO}\n{ONE}"})


@pytest.mark.parametrize("to", ["file", "passphrase", "keyring"])
def test_ring_of_a_shared_store_does_not_move_to_one_host(shared, to):
    with pytest.raises(ConfigurationError, match="is shared by several hosts"):
        rotate(shared, to=to)


def test_many_entries_are_sealed_in_one_step(shared, monkeypatch):
    locked = []
    monkeypatch.setattr(shared.store, "lock", locked.append)
    assert rotate(shared).resealed == 3
    assert locked == []


def test_rotation_that_another_host_has_taken_over_stops(shared, monkeypatch):
    page = shared.store.read_page

    def taken_over(**where):
        note = shared.store.read_note(NOTE)
        shared.store.swap_note(NOTE, parse(note, "")._replace(rotations=9).to_bytes(), replaces=note)
        return page(**where)

    monkeypatch.setattr(shared.store, "read_page", taken_over)
    with pytest.raises(LockTimeout, match="has changed the key"):
        rotate(shared)
    assert {sealed_under(shared, name) for name in NAMES} == {ID_OF_ONE}


def test_store_that_goes_away_stops_a_rotation(shared, monkeypatch):
    def away(*_, **__):
        raise StoreUnavailable("the store is away", hint="start it")

    monkeypatch.setattr(shared.store, "swap_page", lambda *_, **__: set())
    monkeypatch.setattr(shared.store, "put", away)
    with pytest.raises(StoreUnavailable):
        rotate(shared)


def test_announcement_that_another_host_was_quicker_with_is_an_error(shared, monkeypatch):
    monkeypatch.setattr(shared.store, "swap_note", lambda *_, **__: False)
    with pytest.raises(LockTimeout, match="has changed the key"):
        rotate(shared)


def test_change_that_is_noticed_elsewhere_is_reported_as_one(cache, monkeypatch):
    def changed(*_):
        raise ChangedElsewhere

    monkeypatch.setattr(cache.keys, "read", changed)
    with pytest.raises(LockTimeout, match="has changed the key"):
        rotate(cache)


@pytest.mark.parametrize("of_hosts", [False, True], ids=["of a machine", "of hosts"])
def test_store_that_takes_no_entry_again_is_not_asked_for_ever(environ, monkeypatch, of_hosts):
    hurried(monkeypatch)
    store = Denying(shared=of_hosts)
    cache = filled(opened(store, {**environ, "LAKEKEY_KEY": ONE}))
    before = [store.get(name) for name in NAMES]
    cache = opened(store, {**environ, "LAKEKEY_KEY": f"{TWO}\n{ONE}"})
    store.deny()
    with pytest.raises(CacheWriteFailed, match="took none of the entries that were sealed again"):
        rotate(cache, patience=5.0)
    assert [store.get(name) for name in NAMES] == before
    store.deny(3)
    assert rotate(cache, patience=5.0).resealed == len(NAMES)
