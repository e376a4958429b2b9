"""What a process holds in place of entries that could not be written."""

import logging
import os
import time

import pytest

from lakekey.cache import unwritten
from lakekey.cache.entry import Entry
from lakekey.errors import CacheWriteFailed

NAME = "a" * 64
ENTRY = Entry({"host": "https://x"}, access_token="an-access-token")
FULL = CacheWriteFailed("no space left", hint="make room")


@pytest.fixture
def store(tmp_path):
    yield str(tmp_path)
    unwritten.forget(str(tmp_path), NAME)


def test_entry_replaces_what_was_stored_when_it_was_made(store):
    unwritten.hold(store, NAME, ENTRY, replacing=b"stored", error=FULL)
    assert unwritten.get(store, NAME, b"stored") == ENTRY
    assert unwritten.get(store, "b" * 64, b"stored") is None
    assert unwritten.get("/elsewhere", NAME, b"stored") is None
    assert unwritten.holds(store, NAME)


@pytest.mark.parametrize("now", [b"something else", None])
def test_entry_is_forgotten_when_something_else_is_stored(store, now):
    unwritten.hold(store, NAME, ENTRY, replacing=b"stored", error=FULL)
    assert unwritten.peek(store, NAME, now) is None
    assert unwritten.peek(store, NAME, b"stored") == ENTRY
    assert unwritten.get(store, NAME, now) is None
    assert unwritten.get(store, NAME, b"stored") is None
    assert not unwritten.holds(store, NAME)


def test_entry_is_had_though_the_store_cannot_be_asked(store):
    assert unwritten.latest(store, NAME) is None
    unwritten.hold(store, NAME, ENTRY, replacing=b"stored", error=FULL)
    assert unwritten.latest(store, NAME) == ENTRY
    unwritten.forget(store, NAME)
    unwritten.forget(store, NAME)
    assert unwritten.latest(store, NAME) is None


def test_store_is_reported_once_with_what_to_do_about_it(store, caplog):
    with caplog.at_level(logging.WARNING, "lakekey.cache"):
        unwritten.hold(store, NAME, ENTRY, replacing=None, error=FULL)
        unwritten.report(store, "b" * 64, FULL)
    (record,) = caplog.records
    assert record.getMessage() == (
        "no space left; new tokens are kept in the memory of this process only (make room), entry aaaaaaaaaaaa"
    )


def test_one_thread_at_a_time_has_the_lock_of_this_process():
    with unwritten.lock(NAME) as first, unwritten.lock(NAME) as second, unwritten.lock("b" * 64) as other:
        assert (first, second, other) == (True, False, True)
    with unwritten.lock(NAME) as again:
        assert again


def test_lock_that_was_refused_does_not_free_the_one_that_is_held():
    with unwritten.lock(NAME):
        with unwritten.lock(NAME):
            pass
        with unwritten.lock(NAME) as held:
            assert not held


@pytest.mark.parametrize(
    ("entry", "kept"),
    [
        (ENTRY, True),
        (ENTRY._replace(refresh_token="r", rotates=False), True),
        (ENTRY._replace(refresh_token="r", rotates=True), False),
        (ENTRY._replace(refresh_token="r"), False),
    ],
)
def test_child_has_no_refresh_token_that_its_parent_may_spend(entry, kept):
    child = unwritten.without_refresh_token(entry)
    assert child.access_token == entry.access_token
    assert (child == entry) is kept
    if not kept:
        assert child.refresh_token == ""
        assert child.refused.code == "login_required"
        assert abs(child.refused.at - time.time()) < 60


def test_child_has_neither_its_parents_locks_nor_its_sessions(store):
    unwritten.hold(store, NAME, ENTRY._replace(refresh_token="r"), replacing=b"stored", error=FULL)
    with unwritten.lock(NAME):
        unwritten._after_fork()
        with unwritten.lock(NAME) as held:
            assert held
    assert unwritten.get(store, NAME, b"stored").refresh_token == ""


@pytest.mark.fork
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_child_has_neither_its_parents_locks_nor_what_can_be_spent_once(store):
    unwritten.hold(store, NAME, ENTRY._replace(refresh_token="once"), replacing=None, error=FULL)
    with unwritten.lock(NAME) as taken:
        assert taken
        if (child := os.fork()) == 0:
            with unwritten.lock(NAME) as free:
                os._exit(0 if free and not unwritten.latest(store, NAME).refresh_token else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert unwritten.latest(store, NAME).refresh_token == "once"
