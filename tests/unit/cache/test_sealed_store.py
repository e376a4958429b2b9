"""A store and its keys: begun, replaced where nothing can be kept, and sealed under the key at hand."""

import contextlib
import errno
import time

import pytest

from lakekey.cache import sealed_store
from lakekey.cache.entry import Entry, Stored
from lakekey.cache.envelope import BadEnvelope, seal
from lakekey.cache.keys import anchor
from lakekey.cache.keys.choice import NOTE, KeyChoice
from lakekey.cache.keys.in_force import Keys
from lakekey.cache.keys.ring import NO_RING, KeyRing, key_id
from lakekey.cache.sealed_store import SealedStore
from lakekey.cache.stores.memory import MemoryStore
from lakekey.cache.stores.store import Reading
from lakekey.errors import KeyUnavailable
from support.memory_stores import Shared
from support.ring_texts import ONE, TWO

NAME = "a" * 64
RING = KeyRing({key_id(b"3" * 32): b"3" * 32}, key_id(b"3" * 32), "memory", "the test")


class Noting(MemoryStore):
    """A store that counts what it was asked."""

    prepared = asked_together = 0

    def prepare(self):
        self.prepared += 1

    def together(self):
        self.asked_together += 1
        return contextlib.nullcontext()


class Unwritable(MemoryStore):
    """A place in which nothing can be written."""

    def swap_note(self, name, content, *, replaces):
        raise OSError(errno.EROFS, "Read-only file system")


@pytest.fixture
def environ(tmp_path):
    tmp_path.chmod(0o700)
    return {"HOME": str(tmp_path), "APPDATA": str(tmp_path), "LAKEKEY_KEY": ONE}


def sealed(store, keys, **more):
    return SealedStore(store, keys, **{"volatile": None, "instead": None, "replaceable": False, **more})


def test_store_is_made_and_its_key_chosen_once_and_remembered(environ):
    store = Noting()
    sealed(store, Keys(store, environ)).begin()
    assert store.prepared == 1
    assert store.read_note(NOTE) is not None
    anchor.forget(environ, store.where)
    sealed(store, Keys(store, environ)).begin()
    assert store.prepared == 1
    assert anchor.recall(environ, store.where).source == "env"


def test_place_in_which_nothing_can_be_kept_is_replaced_or_an_error(environ):
    environ |= {"LAKEKEY_KEY": "", "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    store, other = Unwritable(), MemoryStore()
    with pytest.raises(OSError, match="Read-only"):
        sealed(store, Keys(store, environ)).begin()
    ours = sealed(store, Keys(store, environ), instead=lambda error: (other, RING, str(error)), replaceable=True)
    ours.begin()
    assert (ours.store, ours.keys, ours.ring, ours.replaceable) == (other, None, RING, True)
    assert "Read-only" in ours.volatile
    assert sealed(other, RING, volatile="why").volatile == "why"


@pytest.mark.parametrize(("store", "refused"), [(Shared, True), (MemoryStore, False)])
def test_key_that_other_hosts_do_not_have_is_refused_where_they_share_the_store(environ, store, refused):
    place = store()
    Keys(place, environ).current()
    sealed(place, Keys(place, environ)).require_same_key()
    sealed(place, RING).require_same_key()
    with pytest.raises(KeyUnavailable) if refused else contextlib.nullcontext():
        sealed(place, Keys(place, {**environ, "LAKEKEY_KEY": TWO})).require_same_key()


def test_key_at_hand_seals_while_the_next_one_cannot_be_read_and_that_is_told_once(environ, monkeypatch, caplog):
    monkeypatch.setattr(sealed_store, "_reported", set())
    store = MemoryStore()
    ours = sealed(store, Keys(store, environ))
    before = ours.current_ring()
    store.write_note(NOTE, KeyChoice("env", "as ever").to_bytes())
    del environ["LAKEKEY_KEY"]
    assert [ours.current_ring(), ours.current_ring()] == [before, before]
    assert [record.levelname for record in caplog.records].count("WARNING") == 1


def test_first_key_that_cannot_be_read_is_an_error(environ):
    del environ["LAKEKEY_KEY"]
    store = MemoryStore()
    ours = sealed(store, Keys(store, environ))
    store.write_note(NOTE, KeyChoice("env", "as ever").to_bytes())
    with pytest.raises(KeyUnavailable):
        ours.current_ring()


def test_key_is_chosen_before_it_is_announced(environ):
    store = MemoryStore()
    ours = sealed(store, Keys(store, {**environ, "LAKEKEY_KEY": "", "LAKEKEY_KEY_SOURCE": "file"}))
    assert not ours.ring.keys
    ring, note = ours.announced()
    assert ring.keys
    assert note == store.read_note(NOTE)
    assert sealed(store, RING).announced() == (RING, b"")


def test_store_is_asked_together_where_the_key_is_known(environ):
    store = Noting()
    keys = Keys(store, environ)
    with sealed(store, keys).together(), sealed(store, RING).together():
        assert store.asked_together == 1
    keys.current()
    with sealed(store, keys).together():
        assert store.asked_together == 2


class Ahead(Shared):
    """A store that hosts share, whose clock is ten minutes ahead of this machine's."""

    def read(self, entry_id):
        return Reading(self.get(entry_id), time.time() + 600)


def test_entry_of_a_store_that_hosts_share_comes_in_this_machines_time():
    store = Ahead()
    store.put(NAME, seal(RING, NAME, Entry({}, expires_at=10_000.0).to_bytes()), replaces=None)
    ours = sealed(store, RING)
    entry = ours.entry(NAME, ours.envelope(NAME))
    assert entry.expires_at == pytest.approx(9_400, abs=60)


def test_newest_bytes_that_were_read_of_a_shared_store_heal_it():
    store = Shared()
    ours = sealed(store, RING)
    older, newer = (seal(RING, NAME, Entry({}, generation=number).to_bytes()) for number in (1, 2))
    ours.entry(NAME, newer)
    store.put(NAME, older, replaces=None)
    assert ours.newest.heal(store, NAME, Stored(ours.entry(NAME, older), older))
    assert store.get(NAME) == newer
    assert sealed(MemoryStore(), RING).newest is None


def test_entry_of_a_key_that_is_not_at_hand_says_which_are(environ):
    store = MemoryStore()
    envelope = seal(RING, NAME, Entry({}).to_bytes())
    with pytest.raises(KeyUnavailable, match="which is not at hand"):
        sealed(store, NO_RING).open(NAME, envelope)
    keys = Keys(store, environ)
    with pytest.raises(KeyUnavailable, match=rf"which is not in .* \(current key {keys.ring.current.hex()}\)"):
        sealed(store, keys).open(NAME, envelope)


def test_repr_names_the_source_of_a_key_that_was_found():
    assert repr(sealed(MemoryStore(), RING)).endswith("key from memory")
    assert repr(sealed(MemoryStore(), lambda: pytest.fail("looked for the keys"))).endswith("key from …")


def test_what_was_opened_just_now_is_not_opened_again_for_its_generation(monkeypatch):
    at_hand, opened = sealed(MemoryStore(), RING), []
    unseal = sealed_store.unseal
    monkeypatch.setattr(sealed_store, "unseal", lambda *given: opened.append(given) or unseal(*given))
    one, two = (seal(RING, NAME, Entry({}, generation=number).to_bytes()) for number in (4, 7))
    at_hand.entry(NAME, one)
    assert [at_hand.generation(NAME, each) for each in (one, two, one, two)] == [4, 7, 4, 7]
    assert len(opened) == 2
    with pytest.raises(BadEnvelope):
        at_hand.generation("b" * 64, one)  # the bytes are another entry's


def test_few_generations_are_remembered():
    at_hand = sealed(MemoryStore(), RING)
    for number in range(100):
        at_hand.entry(NAME, seal(RING, NAME, Entry({}, generation=number).to_bytes()))
    assert len(at_hand._generations) <= 16
