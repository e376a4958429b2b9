"""The store in memory: its locks, and code that interrupts a write as a finalizer or a signal handler does at any line."""

import functools
import itertools
import os
import sys
import threading

import pytest

from lakekey.cache.stores import memory
from lakekey.cache.stores.memory import MemoryStore
from lakekey.errors import LockTimeout

NAME = "a" * 64
PATIENCE = 30.0


def at_line(number, interrupt, work):
    """Does the work in a thread, with an interruption at the n-th line of the store. Returns whether there was one."""
    left = number

    def tracer(frame, event, _):
        nonlocal left
        if frame.f_code.co_filename != memory.__file__:
            return None
        if event == "line":
            left -= 1
            if left == 0:
                sys.settrace(None)
                interrupt()
        return tracer

    def run():
        sys.settrace(tracer)
        try:
            work()
        finally:
            sys.settrace(None)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive(), "it waits for itself"
    return left <= 0


def note(results, work, store):
    results.append(work(store))


def interruptions(make, interrupt, work):
    """Interrupts the work on a store at each of its lines in turn; yields what both returned, and the store."""
    for number in itertools.count(1):
        store, results = make(), []
        inner = functools.partial(note, results, interrupt, store)
        if not at_line(number, inner, functools.partial(note, results, work, store)):
            break
        yield results, store
    assert number > 3


def filled():
    store = MemoryStore()
    assert store.put(NAME, b"first", replaces=None)
    return store


@pytest.mark.parametrize(
    "work",
    [
        lambda store: store.put(NAME, b"outer", replaces=b"first"),
        lambda store: store.delete(NAME, replaces=b"first"),
    ],
    ids=["put", "delete"],
)
def test_write_that_is_interrupted_by_another_write_is_decided_once(work):
    def inner(store):
        return store.put(NAME, b"inner", replaces=b"first")

    for results, store in interruptions(filled, inner, work):
        assert sorted(results) == [False, True]
        inner_won = results[0]
        assert (store.get(NAME) == b"inner") is inner_won


def test_note_that_is_swapped_in_the_midst_of_a_swap_is_decided_once():
    def swap(content):
        return lambda store: store.swap_note("cache.json", content, replaces=None)

    for results, store in interruptions(MemoryStore, swap(b"inner"), swap(b"outer")):
        assert sorted(results) == [False, True]
        assert store.read_note("cache.json") == (b"inner" if results[0] else b"outer")


def test_lock_that_is_asked_for_in_the_midst_of_locking_is_given_once():
    def held(store):
        lock = store.lock(NAME)
        store.kept = [*getattr(store, "kept", []), lock]
        return lock.__enter__()

    for results, _ in interruptions(MemoryStore, held, held):
        assert sorted(results) == [False, True]


def test_threads_that_write_at_once_lose_no_write():
    store = MemoryStore()
    assert store.put(NAME, b"0", replaces=None)

    def count():
        for _ in range(200):
            while True:
                before = store.get(NAME)
                if store.put(NAME, str(int(before) + 1).encode(), replaces=before):
                    break

    crowd = [threading.Thread(target=count) for _ in range(4)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join(PATIENCE)
    assert store.get(NAME) == b"800"


def test_entry_that_was_removed_can_be_stored_again():
    store = filled()
    assert store.delete(NAME, replaces=b"first")
    assert (store.get(NAME), store.list()) == (None, [])
    assert store.put(NAME, b"second", replaces=None)
    assert store.list() == [NAME]


def test_change_of_the_key_inside_a_change_of_the_key_is_an_error_at_once():
    store = MemoryStore()
    with store.changing_key(), pytest.raises(LockTimeout), store.changing_key():
        pass
    with store.changing_key():
        pass


def test_lock_is_free_after_its_block_and_one_that_was_refused_frees_nothing():
    store = MemoryStore()
    with store.lock(NAME) as first:
        with store.lock(NAME) as second:
            pass
        with store.lock(NAME) as third:
            pass
    with store.lock(NAME) as again:
        assert (first, second, third, again) == (True, False, False, True)


@pytest.mark.fork
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_child_finds_the_locks_of_its_parent_free():
    store = MemoryStore()
    with store.lock(NAME), store.changing_key():
        child = os.fork()
        if child == 0:
            status = 1
            try:
                with store.lock(NAME) as held, store.changing_key():
                    status = 0 if held else 2
            finally:
                os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_nothing_of_it_is_shared_with_other_processes_or_machines():
    store = MemoryStore()
    assert not store.shared
    assert not store.spans_machines
