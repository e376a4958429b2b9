"""A bad envelope is set aside, unless a process on another host is at work on its entry."""

import pytest

from lakekey.cache.cache import Cache
from lakekey.cache.damaged import set_aside
from lakekey.cache.stores.memory import MemoryStore
from lakekey.errors import CacheWriteFailed
from support.memory_stores import Shared
from support.model_providers import cache_over

NAME = "0123456789abcdef" * 4


class ReadOnly(MemoryStore):
    """A store in which nothing can be moved away."""

    def set_aside(self, entry_id, envelope):
        raise CacheWriteFailed("read-only")


class Held(Shared):
    """A store of hosts whose lock another one may have.

    Attributes:
        mine: Whether this process has the lock.
        holder_there: Who has it, as the store says.
    """

    mine = False
    holder_there: str | None = None

    def still_locked(self, entry_id):
        return self.mine

    def holder(self, entry_id):
        return self.holder_there


def test_bad_envelope_is_set_aside_and_reported_by_the_first_twelve_characters_of_its_name(caplog):
    store = MemoryStore()
    store.put(NAME, b"garbage", replaces=None)
    assert set_aside(store, NAME, b"garbage", "it is garbage")
    assert store.get(NAME) is None
    assert [record.message for record in caplog.records] == [
        "entry 0123456789ab is unusable (it is garbage); set aside as nowhere"
    ]


def test_what_a_sibling_has_replaced_meanwhile_is_out_of_the_way_and_no_news(caplog):
    store = MemoryStore()
    store.put(NAME, b"newer", replaces=None)
    assert set_aside(store, NAME, b"garbage", "it is garbage")
    assert store.get(NAME) == b"newer"
    assert not caplog.records


def test_what_cannot_be_moved_away_is_reported_once(caplog):
    for _ in range(2):
        assert not set_aside(ReadOnly(), NAME, b"garbage", "it is garbage")
    assert [record.message for record in caplog.records] == [
        "entry 0123456789ab is unusable (it is garbage), and memory: cannot be moved away"
    ]


@pytest.mark.parametrize(
    ("mine", "holder", "stays"),
    [(False, "another host", True), (True, "this process", False), (False, None, False)],
)
def test_bad_envelope_that_another_host_is_at_work_on_is_left_to_it(mine, holder, stays):
    store = Held()
    store.mine, store.holder_there = mine, holder
    store.put(NAME, b"garbage", replaces=None)
    assert set_aside(store, NAME, b"garbage", "it is garbage")
    assert (store.get(NAME) is not None) is stays


def test_reader_of_a_bad_envelope_that_another_host_holds_finds_no_entry_and_the_holder_finds_it_in_place():
    store = Held()
    store.holder_there = "another host"
    store.put(NAME, b"garbage", replaces=None)
    assert Cache(store, cache_over().ring).read(NAME) == (None, None, True)
    assert store.get(NAME) == b"garbage"
