"""Client secrets in the cache: sealed, found again, replaced, removed, and looked for without making a cache."""

import base64
import os

import pytest

from lakekey.cache import near
from lakekey.cache.client_secrets import find_secret, is_secret, put_secret, remove_secret, secret_id
from lakekey.cache.entry import Entry
from lakekey.cache.opening import open_cache
from lakekey.cache.stores import addresses
from lakekey.cache.stores.memory import MemoryStore
from lakekey.errors import CacheWriteFailed, KeyUnavailable
from support.denying import Denying, hurried
from support.memory_stores import Shared
from support.model_providers import cache_over

HOST, CLIENT = "https://w.example.com", "robot"
PLACE = "postgresql://w.example.com/lakekey"


class Fleet(Shared):
    """A store of hosts under an address, which counts the looks at its entries.

    Attributes:
        looks: How many there were.
    """

    where = name = PLACE
    looks = 0

    def get(self, entry_id):
        self.looks += 1
        return super().get(entry_id)


@pytest.fixture
def fleet(monkeypatch):
    """The store of the address, in memory."""
    store = Fleet()
    monkeypatch.setenv("LAKEKEY_KEY_SOURCE", "env")
    monkeypatch.setenv("LAKEKEY_KEY", base64.b64encode(os.urandom(32)).decode())
    monkeypatch.setattr(addresses, "shared_store", lambda _: store)
    return store


def test_secret_is_sealed_under_its_host_account_and_client():
    cache = open_cache()
    put_secret(cache, HOST, "account", CLIENT, "made-up-of-robot")
    entry = cache.get(secret_id(HOST, "account", CLIENT))
    assert is_secret(entry) and not is_secret(Entry({}))
    assert entry.about == {"kind": "client-secret", "host": HOST, "account_id": "account", "client_id": CLIENT}
    assert entry.issued_at > 0
    assert find_secret(os.environ, None, HOST, "account", CLIENT) == "made-up-of-robot"
    assert find_secret(os.environ, None, HOST, None, CLIENT) is None
    assert find_secret(os.environ, None, "https://v.example.com", "account", CLIENT) is None
    assert find_secret(os.environ, None, HOST, "account", "another") is None


def test_secret_takes_the_place_of_an_earlier_one():
    for secret in ("made-up-of-old", "made-up-of-new"):
        put_secret(open_cache(), HOST, None, CLIENT, secret)
    assert find_secret(os.environ, None, HOST, None, CLIENT) == "made-up-of-new"


def test_secret_that_cannot_be_written_is_not_said_to_be_stored():
    class Full(MemoryStore):
        def put(self, *_, **__):
            raise CacheWriteFailed("no space", hint="make room")

    with pytest.raises(CacheWriteFailed, match="no space"):
        put_secret(cache_over(Full()), "https://w.example.com", None, "client", "dose-of-secret")


def test_secret_that_is_removed_is_gone_and_said_to_have_been_there():
    cache = open_cache()
    assert not remove_secret(cache, HOST, None, CLIENT)
    put_secret(cache, HOST, None, CLIENT, "made-up-of-robot")
    assert remove_secret(cache, HOST, None, CLIENT)
    assert find_secret(os.environ, None, HOST, None, CLIENT) is None


def test_look_for_a_secret_makes_no_cache(tmp_path):
    assert find_secret(os.environ, None, HOST, None, CLIENT) is None
    assert find_secret(os.environ, f"file:{tmp_path / 'named'}", HOST, None, CLIENT) is None
    assert not os.path.exists(os.environ["LAKEKEY_CACHE_DIR"])
    assert not os.path.exists(tmp_path / "named")


def test_client_without_a_sealed_secret_needs_no_key():
    key = base64.b64encode(os.urandom(32)).decode()
    with_key = {**os.environ, "LAKEKEY_KEY_SOURCE": "env", "LAKEKEY_KEY": key}
    put_secret(open_cache(with_key), HOST, None, CLIENT, "made-up-of-robot")
    without = {**with_key, "LAKEKEY_KEY": ""}
    assert find_secret(without, None, HOST, None, "another") is None
    with pytest.raises(KeyUnavailable):
        find_secret(without, None, HOST, None, CLIENT)


def test_removal_of_what_is_not_there_makes_no_key(tmp_path):
    cache = open_cache(place=f"file:{tmp_path / 'named'}")
    assert not remove_secret(cache, HOST, None, CLIENT)
    assert not os.path.exists(tmp_path / "named" / "cache.json")


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_secret_is_found_in_the_place_that_is_named(tmp_path, by):
    place = f"file:{tmp_path / 'named'}"
    put_secret(open_cache(place=place), HOST, None, CLIENT, "made-up-of-robot")
    environ = {**os.environ, "LAKEKEY_STORE": f" {place} " if by == "environment" else ""}
    assert find_secret(environ, place if by == "argument" else None, HOST, None, CLIENT) == "made-up-of-robot"


def test_place_that_is_named_counts_before_the_environments(tmp_path):
    put_secret(open_cache(place=f"file:{tmp_path / 'one'}"), HOST, None, CLIENT, "made-up-of-robot")
    environ = {**os.environ, "LAKEKEY_STORE": f"file:{tmp_path / 'one'}"}
    assert find_secret(environ, f"file:{tmp_path / 'two'}", HOST, None, CLIENT) is None


@pytest.mark.parametrize("place", [None, "file:"])
def test_place_without_a_directory_is_the_machines_own(place):
    put_secret(open_cache(), HOST, None, CLIENT, "made-up-of-robot")
    assert find_secret(os.environ, place, HOST, None, CLIENT) == "made-up-of-robot"


def test_secret_in_memory_is_found():
    put_secret(open_cache(place="memory:"), HOST, None, CLIENT, "made-up-of-robot")
    assert find_secret(os.environ, "memory:", HOST, None, CLIENT) == "made-up-of-robot"
    assert find_secret(os.environ, "memory:", HOST, None, "another") is None


def test_entry_without_a_secret_has_none(fleet):
    for place in (None, PLACE):
        cache = open_cache(place=place)
        cache.put(secret_id(HOST, None, CLIENT), Entry({"kind": "client-secret"}), replaces=None)
        assert find_secret(os.environ, place, HOST, None, CLIENT) is None


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_that_a_shared_store_has_no_secret_is_kept_near_until_one_is_put(fleet, monkeypatch, by):
    place = PLACE if by == "argument" else None
    if by == "environment":
        monkeypatch.setenv("LAKEKEY_STORE", f" {PLACE}")
    assert find_secret(os.environ, place, HOST, None, CLIENT) is None
    looks = fleet.looks
    assert looks
    assert find_secret(os.environ, place, HOST, None, CLIENT) is None
    assert fleet.looks == looks
    assert find_secret(os.environ, place, HOST, None, "another") is None
    assert fleet.looks > looks
    put_secret(open_cache(place=PLACE), HOST, None, CLIENT, "made-up-of-robot")
    assert find_secret(os.environ, place, HOST, None, CLIENT) == "made-up-of-robot"


def test_secret_of_this_machines_own_store_keeps_nothing_near(monkeypatch):
    monkeypatch.setattr(near, "NearCopies", None)
    put_secret(open_cache(), HOST, None, CLIENT, "made-up-of-robot")
    assert find_secret(os.environ, None, HOST, None, CLIENT) == "made-up-of-robot"


@pytest.mark.parametrize("change", [remove_secret, lambda *about: put_secret(*about, "made-up-of-new")])
def test_change_that_the_store_never_takes_is_an_error_and_changes_nothing(monkeypatch, change):
    hurried(monkeypatch)
    cache = cache_over(Denying())
    put_secret(cache, HOST, None, CLIENT, "made-up-of-old")
    cache.store.deny()
    with pytest.raises(CacheWriteFailed, match=r"took none of the (writes|removals) of a client secret") as error:
        change(cache, HOST, None, CLIENT)
    assert "lakekey doctor" in error.value.hint
    assert cache.get(secret_id(HOST, None, CLIENT)).client_secret == "made-up-of-old"


def test_change_that_the_store_did_not_take_at_first_is_made(monkeypatch):
    hurried(monkeypatch)
    cache = cache_over(Denying())
    cache.store.deny(2)
    put_secret(cache, HOST, None, CLIENT, "made-up-of-robot")
    assert cache.get(secret_id(HOST, None, CLIENT)).client_secret == "made-up-of-robot"
    cache.store.deny(2)
    assert remove_secret(cache, HOST, None, CLIENT)
    assert cache.get(secret_id(HOST, None, CLIENT)) is None
