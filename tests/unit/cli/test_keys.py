"""What ``lakekey keys`` says of entries that its ring does not open."""

import argparse
import json

import pytest

from lakekey.cache.entry import Entry
from lakekey.cache.envelope import seal
from lakekey.cache.stores.alike import BEGINNING
from lakekey.cache.stores.memory import MemoryStore
from lakekey.cli import keys
from lakekey.errors import CacheError
from support.model_providers import cache_over

ENTRY = Entry({"host": "https://x"}, access_token="dose-of-access")
NAMES = [letter * 64 for letter in "abcdef"]


class Store(MemoryStore):
    """A store some entries of which are denied."""

    denied = ()

    def get(self, entry_id):
        if entry_id in self.denied:
            raise CacheError("it cannot be read")
        return super().get(entry_id)


@pytest.fixture
def cache(monkeypatch):
    cache = cache_over(Store())
    monkeypatch.setattr(keys, "open_cache", lambda **_: cache)
    cache.put(NAMES[0], ENTRY, replaces=None)
    return cache


def said(capsys, *, as_json=False):
    assert keys.keys(argparse.Namespace(action=None, profile=None, json=as_json)) == 0
    printed = capsys.readouterr().out
    return json.loads(printed) if as_json else " ".join(printed.split())


ELSEWHERE = seal(cache_over().ring, NAMES[1], b"{}")
OF_OTHERS = [b"LKEY", ELSEWHERE[: BEGINNING + 3], b"a text", b""]


def test_ring_that_opens_all_has_nothing_to_add(cache, capsys):
    assert said(capsys).endswith("seals and opens 1")


@pytest.mark.parametrize("of_others", OF_OTHERS, ids=["mark", "cut", "text", "nothing"])
def test_entry_that_was_cut_or_is_none_is_not_said_to_be_under_another_key(cache, capsys, of_others):
    cache.store.put(NAMES[1], of_others, replaces=None)
    assert said(capsys).endswith("1 entry is damaged, more than 8 MiB long, or of another program: no key opens it.")
    facts = said(capsys, as_json=True)
    assert (facts["unreadable"], facts["damaged"], facts["denied"]) == (1, 1, 0)


def test_each_reason_for_which_entries_do_not_open_is_said_by_itself(cache, capsys):
    for name, envelope in zip(NAMES[1:], [ELSEWHERE, b"LKEY", b"LKEY", b"any", ELSEWHERE], strict=True):
        cache.store.put(name, envelope, replaces=None)
    cache.store.denied = NAMES[4:5]
    assert said(capsys).endswith(
        "2 entries are sealed under keys that are not here. "
        "2 entries are damaged, more than 8 MiB long, or of another program: no key opens them. "
        "1 entry cannot be read. lakekey doctor says why."
    )
    cache.store.denied = NAMES[1:]
    facts = said(capsys, as_json=True)
    assert (facts["unreadable"], facts["damaged"], facts["denied"]) == (5, 0, 5)
