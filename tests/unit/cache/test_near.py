"""A host's copies of the entries of a shared store: all that know the store find the same ones."""

import os

import pytest

from lakekey.cache.cache import Cache
from lakekey.cache.client_secrets import _near
from lakekey.cache.entry import Entry
from lakekey.cache.keys.ring import KeyRing, key_id
from lakekey.cache.stores.addresses import shared_store
from lakekey.configuration.target import resolve
from lakekey.session.credential import Credential
from lakekey.session.removal import forget_near

NAME = "a" * 64
ENTRY = Entry({"host": "https://x"}, generation=1, access_token="an-access-token")
ADDRESSES = (
    "postgresql://ada@db/lakekey?user=ada@corp.example.com",
    "postgresql://db/lakekey?sslmode=verify-full&target_session_attrs=read-write",
    "rediss://:p%40ss@cache/0?prefix=team",
    "redis+sentinel://one,two/0?service=main&sentinel_password=p@ss",
)


@pytest.mark.parametrize("address", ADDRESSES)
def test_near_copy_is_found_by_address_and_by_store(address):
    store = shared_store(address)
    key = os.urandom(32)
    cache = Cache(store, KeyRing({key_id(key): key}, key_id(key), "memory", "the test"))
    target = resolve(None, {}, host="https://model.example.com")
    environ = {**os.environ, "LAKEKEY_STORE": address}
    _near(environ, address).keep(NAME, ENTRY, "")
    assert Credential(target, environ=environ).near.get(NAME).entry.access_token
    assert Credential(target, environ=environ, cache=cache).near.get(NAME).entry.access_token
    forget_near(store, NAME)
    assert not _near(environ, address).get(NAME).entry.access_token
