"""Moving a cache: one refresh token in one store, whatever was there before and wherever a move breaks off."""

import base64
import time

import pytest

from lakekey.cache.cache import Cache
from lakekey.cache.entry import DISCOVERY, Entry
from lakekey.cache.envelope import key_id_of, seal
from lakekey.cache.keys.choice import NOTE, KeyChoice
from lakekey.cache.keys.in_force import Keys
from lakekey.cache.moving import move
from lakekey.cache.opening import open_cache
from lakekey.cache.stores import addresses
from lakekey.cache.stores.memory import MemoryStore
from lakekey.cache.stores.store import reply_lost
from lakekey.errors import CacheWriteFailed, KeyUnavailable, StoreUnavailable
from support.memory_stores import Shared
from support.model_providers import cache_over
from support.ring_texts import ID_OF_ONE, ONE, TWO

NAME, OTHER = "a" * 64, "b" * 64
ENTRY = Entry({"host": "https://x"}, access_token="an-access-token", refresh_token="a-refresh-token")


class Failing(MemoryStore):
    """A store whose writes fail.

    Attributes:
        error: What a write raises now, if anything.
    """

    error: Exception | None = None

    def put(self, entry_id, envelope, **how):
        if self.error is not None:
            raise self.error
        return super().put(entry_id, envelope, **how)


class Overtaken(MemoryStore):
    """A store in which another process is first with every write.

    Attributes:
        others: What it writes.
    """

    others: bytes | None = None

    def put(self, entry_id, envelope, **how):
        if self.others is not None:
            self._envelopes.set(entry_id, self.others)
        return super().put(entry_id, envelope, **how)


@pytest.fixture
def source():
    cache = cache_over(Failing())
    cache.put(NAME, ENTRY, replaces=None)
    return cache


@pytest.fixture
def target():
    return cache_over(Failing())


def test_session_that_was_moved_keeps_its_access_token_and_the_way_to_it_in_the_old_place(source, target):
    begun = time.time()
    assert move(source, target) == ((NAME,), ())
    assert target.get(NAME) == ENTRY._replace(generation=1)
    left = source.get(NAME)
    assert (left.access_token, left.refresh_token) == ("an-access-token", "")
    assert (left.refused.code, left.refused.message) == ("login_required", "the session was moved to memory:")
    assert begun <= left.refused.at <= time.time()


def test_sealed_secret_is_copied_and_stays(source, target):
    secret = Entry({"kind": "client-secret"}, client_secret="made-up-of-robot")
    source.put(OTHER, secret, replaces=None)
    assert move(source, target).moved == (NAME, OTHER)
    assert [cache.get(OTHER).client_secret for cache in (source, target)] == ["made-up-of-robot"] * 2
    assert source.get(OTHER).refused is None
    assert move(source, target).left[-1] == (OTHER, "memory: has an entry of that name already")


def test_what_holds_nothing_and_what_is_being_spent_stay(source, target):
    source.put(NAME, ENTRY._replace(spending=("an-intent",)), replaces=source.read(NAME).envelope)
    source.put(OTHER, Entry({"kind": DISCOVERY}), replaces=None)
    source.put("c" * 64, ENTRY, replaces=None)
    source.store.put("d" * 64, b"garbage", replaces=None)
    assert move(source, target) == (
        ("c" * 64,),
        (
            (NAME, "its refresh token is being spent; run it again in a minute"),
            (OTHER, "it holds nothing that can be moved"),
            ("d" * 64, "it holds nothing that can be moved"),
        ),
    )
    assert target.kept() == ("c" * 64,)


@pytest.mark.parametrize("there", [ENTRY._replace(refresh_token="of-another-sign-in"), b"garbage"])
def test_entry_of_the_new_place_is_not_touched(source, target, there):
    if isinstance(there, bytes):
        target.store.put(NAME, there, replaces=None)
        target.store.set_aside = lambda *_: (_ for _ in ()).throw(CacheWriteFailed("read-only"))
    else:
        target.put(NAME, there, replaces=None)
    before = target.store.get(NAME)
    assert move(source, target) == ((), ((NAME, "memory: has an entry of that name already"),))
    assert target.store.get(NAME) == before
    assert source.get(NAME) == ENTRY._replace(generation=1)


def test_entry_that_comes_to_the_new_place_meanwhile_is_not_touched(source):
    target = cache_over(Overtaken())
    target.put(NAME, ENTRY._replace(refresh_token="of-another-sign-in"), replaces=None)
    others = target.store.get(NAME)
    target.delete(NAME, replaces=others)
    target.store.others = others
    assert move(source, target) == ((), ((NAME, "memory: has an entry of that name already"),))
    assert target.store.get(NAME) == others
    assert source.get(NAME) == ENTRY._replace(generation=1)


def test_move_that_broke_off_between_the_places_goes_on(source, target):
    target.put(NAME, ENTRY, replaces=None)
    before = target.store.get(NAME)
    assert move(source, target) == ((NAME,), ())
    assert target.store.get(NAME) == before
    assert source.get(NAME).refresh_token == ""


def test_session_that_was_renewed_meanwhile_stays_in_the_old_place(target):
    source = cache_over(Overtaken())
    source.put(NAME, ENTRY, replaces=None)
    first = source.store.get(NAME)
    source.put(NAME, ENTRY._replace(refresh_token="a-renewed-one"), replaces=first)
    source.store.others = source.store.get(NAME)
    source.store.put(NAME, first, replaces=source.store.others)
    assert move(source, target) == ((), ((NAME, "it was renewed meanwhile; run it again"),))
    assert target.get(NAME) is None
    assert source.get(NAME).refresh_token == "a-renewed-one"


def test_session_whose_old_place_cannot_be_written_stays_there(source, target):
    for error in (CacheWriteFailed("the disk is full"), StoreUnavailable("it is away")):
        source.store.error = error
        assert move(source, target) == ((), ((NAME, error.message),))
        assert target.get(NAME) is None
    source.store.error = None
    assert source.get(NAME) == ENTRY._replace(generation=1)


def refused_after_a_doubt():
    error = CacheWriteFailed("the store did not answer")
    error.in_doubt = True
    return error


@pytest.mark.parametrize("error", [reply_lost("the store did not answer"), refused_after_a_doubt()])
def test_session_whose_old_place_may_have_been_written_stays_in_the_new_one_and_that_is_said(source, target, error):
    source.store.error = error
    moved, left = move(source, target)
    assert moved == ()
    assert left == (
        (
            NAME,
            "the store did not answer; memory: has the session now, and must not be used before this is run again",
        ),
    )
    assert target.get(NAME).refresh_token == ENTRY.refresh_token


def test_session_that_the_new_place_cannot_take_stays_and_the_others_go_on(source, target):
    target.store.error = CacheWriteFailed("the disk is full")
    source.put(OTHER, ENTRY, replaces=None)
    assert move(source, target) == ((), ((NAME, "the disk is full"), (OTHER, "the disk is full")))
    assert source.get(NAME) == ENTRY._replace(generation=1)
    assert target.keeps(NAME)


@pytest.fixture
def fleet(monkeypatch):
    """A store of hosts, in memory, and what opens it as a host with a key."""
    store = Shared()
    monkeypatch.setattr(addresses, "shared_store", lambda _: store)

    def opened(key):
        environ = {"LAKEKEY_KEY_SOURCE": "env", "LAKEKEY_KEY": base64.b64encode(key).decode()}
        return open_cache(environ, place="postgresql://x/lakekey", moving=True)

    return opened


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_nothing_is_moved_where_the_other_hosts_have_another_key(source, fleet, monkeypatch, when):
    def begin():
        fleet(b"b" * 32).put(OTHER, ENTRY, replaces=None)

    if when == "before":
        begin()
    else:
        kept = source.kept
        monkeypatch.setattr(source, "kept", lambda: begin() or kept())
    target = fleet(b"a" * 32)
    with pytest.raises(KeyUnavailable, match="other hosts could not open"):
        move(source, target)
    assert target.store.list() == [OTHER]
    assert source.get(NAME) == ENTRY._replace(generation=1)


def test_place_that_is_away_is_told_also_where_there_is_nothing_to_move(fleet):
    target = fleet(b"a" * 32)
    target.store.read_note = lambda _: (_ for _ in ()).throw(StoreUnavailable("it is away"))
    with pytest.raises(StoreUnavailable):
        move(cache_over(), target)


def test_nothing_is_made_in_the_new_place_where_there_is_nothing_to_move(tmp_path):
    target = open_cache(place=f"file:{tmp_path / 'new'}")
    assert move(cache_over(), target) == ((), ())
    assert list(tmp_path.iterdir()) == []
    source = cache_over()
    source.put(NAME, ENTRY, replaces=None)
    assert move(source, target).moved == (NAME,)
    assert open_cache(place=f"file:{tmp_path / 'new'}").get(NAME).refresh_token == ENTRY.refresh_token


@pytest.mark.parametrize("why", ["an error", "a no"])
def test_token_that_cannot_be_taken_out_of_the_new_place_again_is_told(source, target, monkeypatch, why):
    def stuck(*_, **__):
        if why == "a no":
            return False
        raise StoreUnavailable("it is away")

    monkeypatch.setattr(target.store, "delete", stuck)
    source.store.error = CacheWriteFailed("the disk is full")
    both = "; memory: still has its token too: do not use it there"
    assert move(source, target) == ((), ((NAME, f"the disk is full{both}"),))
    monkeypatch.setattr(source.store, "put", lambda *_, **__: False)
    assert move(source, target) == ((), ((NAME, f"it was renewed meanwhile; run it again{both}"),))


def test_token_that_another_took_out_of_the_new_place_is_not_told_to_be_there(source, target, monkeypatch):
    take_out = target.store.delete
    monkeypatch.setattr(target.store, "delete", lambda *args, **how: take_out(*args, **how) and False)
    source.store.error = CacheWriteFailed("the disk is full")
    assert move(source, target) == ((), ((NAME, "the disk is full"),))


def test_session_that_was_taken_out_before_the_key_changed_stays_in_the_new_place(source, target, monkeypatch):
    put = source.store.put

    def first_write(*args, **how):
        done = MemoryStore.put(source.store, *args, **how)
        source.store.error = CacheWriteFailed("the disk is full")
        monkeypatch.setattr(source.store, "put", put)
        monkeypatch.setattr(source._sealed, "current_ring", lambda: cache_over().ring)
        return done

    monkeypatch.setattr(source.store, "put", first_write)
    _, ((_, why),) = move(source, target)
    assert why == "the disk is full; memory: has the session now, and must not be used before this is run again"
    assert target.get(NAME).refresh_token == ENTRY.refresh_token


def rotating(cache, monkeypatch, *, to=None):
    """Have a rotation find each write of a cache before the writer looks, and seal it again; the writer is told no."""
    put = cache.store.put

    def resealed(entry_id, envelope, *, replaces, **_):
        ring = cache.ring
        assert put(entry_id, envelope, replaces=replaces)
        again = seal(ring, entry_id, cache.open(entry_id, envelope)) if to is None else to
        assert put(entry_id, again, replaces=envelope)
        return False

    monkeypatch.setattr(cache.store, "put", resealed)


def test_session_that_a_rotation_of_the_old_place_seals_again_meanwhile_is_moved(source, target, monkeypatch):
    rotating(source, monkeypatch)
    assert move(source, target) == ((NAME,), ())
    assert target.get(NAME).refresh_token == ENTRY.refresh_token
    assert source.get(NAME).refresh_token == ""


def test_session_that_a_rotation_of_the_new_place_seals_again_meanwhile_is_moved(source, target, monkeypatch):
    rotating(target, monkeypatch)
    assert move(source, target) == ((NAME,), ())
    assert target.get(NAME).refresh_token == ENTRY.refresh_token
    assert source.get(NAME).refresh_token == ""


@pytest.mark.parametrize("to", ["damaged", "under another key"])
def test_session_of_which_the_old_place_shows_nothing_any_more_stays_in_the_new_one(source, target, monkeypatch, to):
    rotating(source, monkeypatch, to=b"garbage" if to == "damaged" else seal(cache_over().ring, NAME, b"{}"))
    ((name, why),) = move(source, target).left
    assert name == NAME
    assert why.endswith("; memory: has the session now, and must not be used before this is run again")
    assert target.get(NAME).refresh_token == ENTRY.refresh_token


def test_no_session_goes_to_a_key_file_that_others_put_there_after_the_first_look(source, tmp_path, monkeypatch):
    environ = {"HOME": str(tmp_path), "APPDATA": str(tmp_path), "LAKEKEY_KEY": ONE}
    store = MemoryStore()
    Keys(store, environ).read()

    def plant():
        store.write_note("master.key", TWO.encode())
        store.swap_note(NOTE, KeyChoice("file", "as ever").to_bytes(), replaces=store.read_note(NOTE))

    target = Cache(store, Keys(store, environ, moving=True))
    kept = source.kept
    monkeypatch.setattr(source, "kept", lambda: plant() or kept())
    assert move(source, target).moved == (NAME,)
    assert key_id_of(store.get(NAME)) == ID_OF_ONE  # the key that was read before
    with pytest.raises(KeyUnavailable, match="could have put there"):
        move(source, target)
