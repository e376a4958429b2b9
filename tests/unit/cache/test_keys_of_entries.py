"""Whether the keys at hand open what is stored: told before an entry is needed."""

import pytest

from lakekey.cache import keys_of_entries
from lakekey.cache.cache import Cache
from lakekey.cache.entry import DISCOVERY_PREFIX, Entry
from lakekey.cache.keys.ring import NO_RING
from lakekey.cache.keys_of_entries import findings
from lakekey.cache.opening import open_cache
from lakekey.cache.stores.memory import MemoryStore
from lakekey.errors import KeyUnavailable, UnsafeCache
from support.model_providers import cache_over

NAME, OTHER = "a" * 64, "b" * 64
ENTRY = Entry({"host": "https://x"}, refresh_token="a-refresh-token")


@pytest.fixture
def cache():
    cache = cache_over()
    cache.put(NAME, ENTRY, replaces=None)
    return cache


def found(cache):
    [finding] = findings(cache)
    assert finding.name == "key"
    return finding


def test_key_that_opens_all_is_named_with_its_place(cache):
    assert found(cache)[1:] == ("ok", f"{cache.ring.current.hex()} from the test, which opens the 1 looked at", None)


def test_keys_that_are_missing_are_named_with_the_number_of_their_entries(cache):
    others = [cache_over(), cache_over()]
    for number, other in enumerate([*others, others[0]]):
        stored = other.put(f"{number}" * 64, ENTRY, replaces=None)
        cache.store.put(f"{number}" * 64, stored.envelope, replaces=None)
    missing = ", ".join(sorted(other.ring.current.hex() for other in others))
    here = cache.ring.current.hex()
    assert found(cache)[1:] == (
        "failed",
        f"3 of 4 entries are sealed under {missing}, which is not in the test (current key {here})",
        "give every host the same key; during a change, list the new key first and the old one after it",
    )


def test_what_is_not_an_envelope_or_is_kept_of_a_server_tells_nothing_of_the_key(cache):
    cache.store.put(OTHER, b"garbage", replaces=None)
    discovered = cache_over().put(DISCOVERY_PREFIX + OTHER, Entry({}), replaces=None).envelope
    cache.store.put(DISCOVERY_PREFIX + OTHER, discovered, replaces=None)
    assert found(cache).finding.endswith("which opens the 2 looked at")


def test_entry_that_must_not_be_read_is_passed_over(cache):
    get = cache.store.get

    def refuse(entry_id):
        if entry_id == OTHER:
            raise UnsafeCache("others may read it")
        return get(entry_id)

    cache.put(OTHER, ENTRY, replaces=None)
    cache.store.get = refuse
    assert found(cache).finding.endswith("which opens the 1 looked at")


@pytest.mark.parametrize(
    ("entries", "status", "said"),
    [(0, "ok", "none yet"), (1, "warning", "none at hand here, so that entries were not looked at")],
)
def test_cache_without_a_key_is_well_as_long_as_it_has_no_entry(cache, entries, status, said):
    store = cache.store if entries else MemoryStore()
    assert found(Cache(store, NO_RING))[1:] == (status, said, None)


def test_key_that_cannot_be_read_is_told(monkeypatch):
    open_cache().put(NAME, ENTRY, replaces=None)
    cache = open_cache()
    monkeypatch.setattr(
        cache.keys, "require_same", lambda: (_ for _ in ()).throw(KeyUnavailable("it is another", hint="x"))
    )
    assert found(cache)[1:] == ("failed", "it is another", "x")


def test_so_many_entries_are_looked_at_and_no_more(cache, monkeypatch):
    monkeypatch.setattr(keys_of_entries, "_MOST", 2)
    for name in (OTHER, "c" * 64):
        cache.put(name, ENTRY, replaces=None)
    assert found(cache).finding.endswith("which opens the 2 looked at")
