"""All entries of a store are read: one by one on one machine, and in pages from a store that hosts share."""

import pytest

from lakekey.cache.stores import pages
from lakekey.cache.stores.memory import MemoryStore
from lakekey.cache.stores.pages import all_entries
from lakekey.errors import UnsafeCache
from support.memory_stores import Shared

NAMES = [f"{number:064}" for number in range(5)]


class Noting(Shared):
    """A shared store that notes which pages it was asked for."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def read_page(self, *, after, limit):
        self.asked.append(after)
        return super().read_page(after=after, limit=limit)


class PartlyUnsafe(MemoryStore):
    """A store in which one entry must not be believed."""

    def read(self, entry_id):
        if entry_id == NAMES[1]:
            raise UnsafeCache("open to other users")
        return super().read(entry_id)


def filled(store, number=5):
    for name in NAMES[:number]:
        assert store.put(name, name.encode(), replaces=None)
    return store


@pytest.mark.parametrize("kind", [MemoryStore, Shared])
@pytest.mark.parametrize("after", ["", NAMES[2]])
def test_each_entry_behind_a_name_is_read_once_and_in_order(kind, after, monkeypatch):
    monkeypatch.setattr(pages, "_PAGE", 2)
    found = list(all_entries(filled(kind()), after=after))
    assert [name for name, _ in found] == [name for name in NAMES if name > after]
    assert all(reading.envelope == name.encode() for name, reading in found)


@pytest.mark.parametrize(
    ("number", "asked"),
    [(0, [""]), (1, [""]), (2, ["", NAMES[1]]), (3, ["", NAMES[1]]), (4, ["", NAMES[1], NAMES[3]])],
)
def test_shared_store_is_asked_for_pages_until_one_is_not_full(number, asked, monkeypatch):
    monkeypatch.setattr(pages, "_PAGE", 2)
    store = filled(Noting(), number)
    assert len(list(all_entries(store))) == number
    assert store.asked == asked


def test_entry_that_cannot_be_read_is_its_error_and_the_others_follow():
    found = list(all_entries(filled(PartlyUnsafe(), 3)))
    assert [name for name, _ in found] == NAMES[:3]
    assert [type(what).__name__ for _, what in found] == ["Reading", "UnsafeCache", "Reading"]


def test_time_of_a_store_is_told_with_each_page_that_has_entries(monkeypatch):
    monkeypatch.setattr(pages, "_PAGE", 2)
    told = []
    for number in (0, 1):
        list(all_entries(filled(Shared(), number), observe=lambda *times: told.append(times)))
    ((now, before, after),) = told
    assert before <= now <= after
