"""An entry that is damaged while an exchange is under way: that is no sign-out, and the answer is stored."""

import os
import shutil
from pathlib import Path

import pytest

from lakekey.cache.cache import Cache
from lakekey.cache.entry import Entry
from lakekey.cache.envelope import seal
from lakekey.cache.keys.ring import KeyRing, key_id
from lakekey.cache.opening import open_cache
from lakekey.cache.stores.file import FileStore
from lakekey.cache.stores.memory import MemoryStore
from lakekey.errors import CacheError, KeyUnavailable, LoginRequired
from support.inside import session_of
from support.model import Clock, ModelServer
from support.model_providers import cache_over, provider_over

pytestmark = pytest.mark.usefixtures("unattended")
KEY = os.urandom(32)
ANOTHER = KeyRing({key_id(KEY): KEY}, key_id(KEY), "memory", "another machine")


class ElsewhereInMemory(MemoryStore):
    """A store whose lock may be lost while its holder lives."""

    spans_machines = True


class OnANetwork(FileStore):
    """Files whose lock may be lost while its holder lives."""

    spans_machines = True


def flipped(envelope, entry_id, ring):
    return envelope[:60] + bytes([envelope[60] ^ 1]) + envelope[61:]


def truncated(envelope, entry_id, ring):
    return envelope[:50]


def emptied(envelope, entry_id, ring):
    return b""


def of_another_name(envelope, entry_id, ring):
    return seal(ring, "f" * 64, Entry({}).to_bytes())


def of_another_key(envelope, entry_id, ring):
    return seal(ANOTHER, entry_id, Entry({}).to_bytes())


def of_a_later_release(envelope, entry_id, ring):
    return seal(ring, entry_id, b'{"format": 99}')


DAMAGE = [flipped, truncated, emptied, of_another_name, of_another_key, of_a_later_release]


class World:
    """A session in a store, and a server that something strikes during the next exchange."""

    def __init__(self, cache):
        self.cache = cache
        self.server = ModelServer(Clock())
        provider_over(cache, self.server, person=True).login()
        self.provider = provider_over(cache, self.server)
        self.token = self.provider.token().access_token
        self.entry_id = session_of(self.provider).entry_id

    def renew(self, strike):
        self.server.on_request = strike
        self.provider.invalidate(self.token)

    def assert_answer_is_stored(self):
        entry = self.cache.get(self.entry_id)
        assert self.server.state(entry.refresh_token) == "current"
        assert len(self.server.sent) == 1
        assert entry.access_token != self.token
        headers = provider_over(self.cache, self.server).headers()
        assert headers == {"Authorization": f"Bearer {entry.access_token}"}


def world_in(store):
    found = open_cache()
    return World(Cache(store(found.store.where), found.keys))


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("store", [FileStore, OnANetwork])
def test_answer_is_stored_over_a_file_that_went_bad_meanwhile_and_the_damage_is_kept(store, damage):
    world = world_in(store)
    path = Path(world.cache.store.place(world.entry_id))
    bad = damage(path.read_bytes(), world.entry_id, world.cache.ring)
    world.renew(lambda: path.write_bytes(bad))
    world.assert_answer_is_stored()
    assert path.with_suffix(".bad").read_bytes() == bad


@pytest.mark.parametrize("damage", DAMAGE)
def test_answer_is_stored_over_an_entry_that_went_bad_meanwhile_where_hosts_share_the_store(damage):
    world = World(cache_over(ElsewhereInMemory()))
    store = world.cache.store

    def strike():
        stored = store.get(world.entry_id)
        assert store.put(world.entry_id, damage(stored, world.entry_id, world.cache.ring), replaces=stored)

    world.renew(strike)
    world.assert_answer_is_stored()


def directory_in_its_place(path):
    path.unlink()
    path.mkdir()


def link_in_its_place(path):
    path.rename(path.with_suffix(".elsewhere"))
    path.symlink_to(path.with_suffix(".elsewhere"))


def open_to_others(path):
    path.chmod(0o644)


@pytest.mark.posix_owners
@pytest.mark.parametrize("strike", [directory_in_its_place, link_in_its_place, open_to_others])
@pytest.mark.parametrize("store", [FileStore, OnANetwork])
def test_answer_is_stored_in_place_of_what_must_not_be_read(store, strike):
    world = world_in(store)
    path = Path(world.cache.store.place(world.entry_id))
    world.renew(lambda: strike(path))
    world.assert_answer_is_stored()
    assert os.path.lexists(path.with_suffix(".bad"))


@pytest.mark.posix_locks
@pytest.mark.parametrize("store", [FileStore, OnANetwork])
def test_answer_is_stored_although_the_cache_was_removed_meanwhile(store):
    world = world_in(store)
    world.renew(lambda: shutil.rmtree(world.cache.store.where))
    world.assert_answer_is_stored()
    assert open_cache().get(world.entry_id) == world.cache.get(world.entry_id)


@pytest.mark.parametrize("store", [OnANetwork])
def test_sign_out_meanwhile_is_still_one(store):
    world = world_in(store)
    path = Path(world.cache.store.place(world.entry_id))
    with pytest.raises(LoginRequired):
        world.renew(path.unlink)
    assert world.cache.get(world.entry_id) is None


def test_sign_out_meanwhile_is_still_one_where_hosts_share_the_store():
    world = World(cache_over(ElsewhereInMemory()))
    store = world.cache.store
    with pytest.raises(LoginRequired):
        world.renew(lambda: store.delete(world.entry_id, replaces=store.get(world.entry_id)))
    assert world.cache.get(world.entry_id) is None


@pytest.mark.parametrize("damage", [of_another_key, of_a_later_release])
def test_what_makes_way_is_told_with_where_it_is_kept(damage, caplog):
    world = world_in(FileStore)
    path = Path(world.cache.store.place(world.entry_id))
    bad = damage(path.read_bytes(), world.entry_id, world.cache.ring)
    world.renew(lambda: path.write_bytes(bad))
    assert f"it makes way for what is newer, and is kept as {path.with_suffix('.bad')}" in caplog.text


@pytest.mark.parametrize("damage", [of_another_key, of_a_later_release])
def test_reader_leaves_alone_what_only_makes_way_for_an_answer(damage):
    world = world_in(FileStore)
    path = Path(world.cache.store.place(world.entry_id))
    path.write_bytes(bad := damage(path.read_bytes(), world.entry_id, world.cache.ring))
    with pytest.raises(KeyUnavailable if damage is of_another_key else CacheError):
        provider_over(world.cache, world.server).headers()
    assert path.read_bytes() == bad


@pytest.mark.posix_owners
def test_answer_is_kept_while_the_program_can_open_no_file_and_stored_when_it_can():
    resource = pytest.importorskip("resource")
    world = world_in(FileStore)
    path = Path(world.cache.store.place(world.entry_id))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    try:
        with pytest.raises(CacheError, match="open files"):
            world.renew(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1])))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert not path.with_suffix(".bad").exists()
    world.provider.invalidate(world.token)
    world.assert_answer_is_stored()
