"""An entry's lock: what keeps a process from sealing is said as it is taken, and how often it is tried again."""

import base64
import os

import pytest

from lakekey.cache.cache import Cache
from lakekey.cache.entry import Entry
from lakekey.cache.entry_lock import next_try
from lakekey.cache.keys.choice import NOTE
from lakekey.cache.keys.in_force import Keys
from lakekey.cache.opening import open_cache
from lakekey.errors import KeyUnavailable, UnsafeCache
from support.memory_stores import Shared

NAME = "a" * 64


def host(store, key):
    """A cache in a store that hosts share, as a host with a key opens it."""
    environ = {"LAKEKEY_KEY_SOURCE": "env", "LAKEKEY_KEY": base64.b64encode(key * 32).decode()}
    return Cache(store, Keys(store, environ))


def test_key_of_a_shared_store_is_announced_before_a_token_is_spent():
    store = Shared()
    with host(store, b"1").lock(NAME, to_write=False):
        assert store.read_note(NOTE) is None
    with host(store, b"1").lock(NAME) as held:
        assert held
        assert store.read_note(NOTE) is not None


def test_host_with_another_key_gets_no_lock_to_write():
    store = Shared()
    host(store, b"1").put(NAME, Entry({}), replaces=None)
    stranger = host(store, b"2")
    with pytest.raises(KeyUnavailable, match="other hosts could not open"), stranger.lock(NAME):
        pass
    with stranger.lock(NAME, to_write=False) as held:
        assert held


@pytest.mark.posix_owners
def test_choice_of_the_key_that_others_may_read_is_told_before_a_token_is_spent():
    cache = open_cache()
    cache.put(NAME, Entry({}), replaces=None)
    os.chmod(os.path.join(cache.store.where, NOTE), 0o644)
    with pytest.raises(UnsafeCache, match="is open to other users"), cache.lock(NAME):
        pass
    with cache.lock(NAME, to_write=False) as held:
        assert held


@pytest.mark.parametrize(
    ("waited", "bounds", "about"),
    [
        (0.0, {}, 0.01),
        (0.4, {}, 0.1),
        (100.0, {}, 0.25),
        (100.0, {"longest": 2.0}, 2.0),
        (0.0, {"longest": 2.0, "shortest": 1.0}, 1.0),
        (0.0, {"shortest": 1.0}, 0.25),
    ],
)
def test_lock_is_tried_less_often_the_longer_it_was_waited_for_and_by_no_two_waiters_at_once(waited, bounds, about):
    pauses = [next_try(waited, **bounds) for _ in range(500)]
    assert 0.5 * about <= min(pauses) < 0.75 * about
    assert 1.25 * about < max(pauses) <= 1.5 * about
