"""The cache as a whole: entries in, entries out, sealed in between."""

import base64
import logging
import os

import pytest

from lakekey.cache.cache import open_cache
from lakekey.cache.entry import Entry
from lakekey.errors import ConfigurationError, KeyUnavailable
from lakekey.oauth.transport import MAX_BODY

NAME = "a" * 64
ENTRY = Entry({"host": "https://x"}, generation=1, access_token="an-access-token", refresh_token="a-refresh-token")


@pytest.fixture
def cache():
    return open_cache()


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
    assert cache.get(NAME) == ENTRY


@pytest.mark.parametrize("content", [b"", b"garbage", b"LKEY\x01" + bytes(80)[:40]], ids=["empty", "garbage", "short"])
def test_an_entry_that_does_not_open_counts_as_none_and_is_reported(cache, content, caplog):
    cache.store.put(NAME, content, replaces=None)
    with caplog.at_level(logging.WARNING, "lakekey.cache"):
        assert cache.read(NAME) == (None, None)
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
