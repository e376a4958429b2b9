"""Whether a store was emptied: yes, no, or not known."""

import base64
import errno

import pytest

from lakekey.cache import private_files
from lakekey.cache.cache import Cache
from lakekey.cache.making_way import begun_again, was_emptied
from lakekey.cache.opening import open_cache
from lakekey.cache.stores.memory import MemoryStore
from lakekey.errors import CacheError, StoreUnavailable
from support.model_providers import cache_over


@pytest.fixture
def cache(tmp_path):
    cache = open_cache({"LAKEKEY_KEY_SOURCE": "file"}, place=f"file:{tmp_path / 'cache'}")
    cache.begin()
    return cache


def test_store_whose_note_is_gone_was_emptied(cache):
    since = begun_again(cache)
    assert not was_emptied(cache, since)
    cache.store.remove_note("cache.json")
    assert was_emptied(cache, since)


def test_store_that_was_begun_again_was_emptied(cache):
    since = begun_again(cache)
    for note in ("cache.json", "master.key"):
        cache.store.remove_note(note)
    cache.keys.current()
    assert begun_again(cache) == since + 1
    assert was_emptied(cache, since)


def test_note_that_cannot_be_read_tells_nothing(cache, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EIO, "Input/output error")

    since = begun_again(cache)
    monkeypatch.setattr(private_files, "read", refuse)
    with pytest.raises(CacheError, match="cannot be read"):
        was_emptied(cache, since)


def test_cache_whose_key_lives_in_this_process_was_not_emptied():
    cache = cache_over()
    assert begun_again(cache) == 0
    assert not was_emptied(cache, 0)


def test_cache_in_which_nothing_was_written_down_yet_was_not_emptied(tmp_path):
    environ = {"LAKEKEY_KEY_SOURCE": "env", "LAKEKEY_KEY": base64.b64encode(b"1" * 32).decode()}
    cache = open_cache(environ, place=f"file:{tmp_path / 'cache'}")
    assert not was_emptied(cache, 0)


def test_store_that_is_away_has_not_been_begun_again():
    def away():
        raise StoreUnavailable("it is away")

    assert begun_again(Cache(MemoryStore(), away)) == 0
