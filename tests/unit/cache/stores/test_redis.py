"""What a Redis store asks of its server, and what it makes of the replies; this needs no library."""

import contextlib
import time

import pytest

from lakekey.cache.stores.findings import OK, WARNING, Finding
from lakekey.cache.stores.redis import RedisStore
from lakekey.cache.stores.store import Note, Reading
from lakekey.errors import CacheError

ONE, TWO = "a" * 64, "b" * 64
NOT_OURS = "answers with something that lakekey has not put there"


class Server:
    """A server of some replies, which remembers what it was asked."""

    prefix = "mine"

    def __init__(self, *replies):
        self.replies = list(replies)
        self.asked = []
        self.looked_at = 0

    def ask(self, *words):
        self.asked.append(words)
        return self.replies.pop(0)

    def together(self):
        return contextlib.nullcontext()

    def require_keeper(self):
        self.looked_at += 1

    def findings(self):
        yield Finding("writes", OK, "it is the primary")


def store(*replies):
    store = RedisStore("redis://:dose-of-redis@127.0.0.1:1/0?prefix=mine")
    store._server = Server(*replies)
    return store


def test_store_has_the_place_and_the_name_of_its_address():
    assert repr(store()) == "RedisStore(redis://127.0.0.1:1/0?prefix=mine)"
    assert store().name == "redis://127.0.0.1:1/0?prefix=mine"


@pytest.mark.parametrize("prepare", [RedisStore.prepare, RedisStore.set_up])
def test_server_is_looked_at_before_it_is_used(prepare):
    asked = store()
    prepare(asked)
    assert asked._server.looked_at == 1


def test_entry_is_read_with_the_time_in_seconds():
    asked = store([b"sealed", 7500])
    assert asked.read(ONE) == Reading(b"sealed", 7.5)
    assert asked._server.asked[0][2:] == (1, f"{{mine}}:entry:{ONE}")


def test_beginning_is_asked_for_of_an_entry_that_is_too_long_and_a_note_is_read_whole():
    asked = store([None, 1], [b"content", 1])
    asked.read(ONE)
    assert asked.read_note("ring") == b"content"
    assert ["string.sub" in script for _, script, *_ in asked._server.asked] == [True, False]


def test_page_is_read_with_the_time_in_seconds_and_what_the_server_lost_is_nothing():
    asked = store([ONE.encode(), TWO.encode()], [7500, b"sealed", None])
    assert asked.read_page(after="", limit=2) == [(ONE, Reading(b"sealed", 7.5)), (TWO, Reading(None, 7.5))]
    assert asked._server.asked[0] == ("ZRANGEBYLEX", "{mine}:index:", "-", "+", "LIMIT", 0, 2)
    assert asked._server.asked[1][2:] == (2, f"{{mine}}:entry:{ONE}", f"{{mine}}:entry:{TWO}")


def test_page_behind_a_name_begins_there_and_one_without_entries_asks_nothing_more():
    asked = store([])
    assert asked.read_page(after=ONE, limit=2) == []
    assert asked._server.asked == [("ZRANGEBYLEX", "{mine}:index:", f"({ONE}", "+", "LIMIT", 0, 2)]


@pytest.mark.parametrize("reply", [[7500, b"sealed"], [7500, b"sealed", None, None], [7500], 7, None])
def test_page_of_another_length_than_its_names_is_an_error_of_the_store(reply):
    with pytest.raises(CacheError, match=NOT_OURS):
        store([ONE.encode(), TWO.encode()], reply).read_page(after="", limit=2)


SWAPS = [(ONE, b"old", b"new"), (TWO, b"older", b"newer")]
PAIRS = tuple(f"{{mine}}:{kind}:{name}" for name in (ONE, TWO) for kind in ("entry", "lease"))


@pytest.mark.parametrize(
    ("reply", "done"), [([1, 0], {ONE}), ([0, 1], {TWO}), ([1, 1], {ONE, TWO}), ([0, 0], set()), ([2, 1], {TWO})]
)
def test_page_of_swaps_says_which_were_done(reply, done):
    asked = store(reply)
    assert asked.swap_page(SWAPS) == done
    assert asked._server.asked[0][2:] == (4, *PAIRS, b"old", b"new", b"older", b"newer")


def test_page_of_swaps_under_a_note_names_it_behind_them():
    asked = store([1, 1])
    asked.swap_page(SWAPS, under=Note("ring", b"said"))
    assert asked._server.asked[0][2:] == (5, *PAIRS, "{mine}:note:ring", b"old", b"new", b"older", b"newer", b"said")


@pytest.mark.parametrize("reply", [[1], [1, 1, 1], 7, None])
def test_page_of_swaps_with_another_number_of_replies_is_an_error_of_the_store(reply):
    with pytest.raises(CacheError, match=NOT_OURS):
        store(reply).swap_page(SWAPS)


@pytest.mark.parametrize(("ahead", "status"), [(0.0, OK), (600.0, WARNING)])
def test_examination_compares_the_clocks_and_counts_the_entries(ahead, status):
    found = list(store([None, int((time.time() + ahead) * 1000)], 7).examine())
    assert [each.name for each in found] == ["reach", "clock", "writes", "entries"]
    assert found[1].status == status
    assert found[3] == Finding("entries", OK, "7")
