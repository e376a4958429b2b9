"""What holds for every store, whatever it keeps its entries in. Each function takes an empty store that is prepared."""

import threading

from lakekey.cache.stores.store import Store

NAME, OTHER, THIRD = "a" * 64, "b" * 64, "c" * 64


def only_the_bytes_that_are_there_are_replaced(store: Store):
    assert store.get(NAME) is None
    assert store.put(NAME, b"first", replaces=None)
    assert not store.put(NAME, b"second", replaces=None)
    assert not store.put(NAME, b"second", replaces=b"older")
    assert store.get(NAME) == store.read(NAME).envelope == b"first"
    assert store.put(NAME, b"second", replaces=b"first")
    assert store.get(NAME) == b"second"


def only_the_bytes_that_are_there_are_deleted(store: Store):
    store.put(NAME, b"first", replaces=None)
    assert not store.delete(NAME, replaces=b"older")
    assert store.delete(NAME, replaces=b"first")
    assert not store.delete(NAME, replaces=b"first")
    assert (store.get(NAME), store.list()) == (None, [])


def a_bad_entry_is_set_aside_and_loses_only_itself(store: Store):
    store.put(NAME, b"bad", replaces=None)
    store.put(OTHER, b"good", replaces=None)
    assert store.set_aside(NAME, b"other bytes") is None
    assert store.set_aside(NAME, b"bad")
    assert (store.get(NAME), store.get(OTHER), store.list()) == (None, b"good", [OTHER])


def a_list_has_pages(store: Store):
    for name in (THIRD, NAME, OTHER):
        store.put(name, b"sealed", replaces=None)
    assert store.list() == [NAME, OTHER, THIRD]
    assert store.list(limit=2) == [NAME, OTHER]
    assert store.list(after=OTHER) == [THIRD]
    assert store.list(after=NAME, limit=1) == [OTHER]


def one_holds_the_lock_and_another_gets_a_no(store: Store):
    with store.lock(NAME) as first, store.lock(NAME) as second, store.lock(OTHER) as other:
        assert (first, second, other) == (True, False, True)
        assert store.still_locked(NAME)
        assert store.holder(NAME)
    with store.lock(NAME) as again:
        assert again


def a_note_is_swapped_for_the_bytes_that_are_there(store: Store):
    assert store.read_note("cache.json") is None
    with store.changing_key():
        assert store.swap_note("cache.json", b"first", replaces=None)
        assert not store.swap_note("cache.json", b"second", replaces=None)
        assert store.read_note("cache.json") == b"first"
        assert store.swap_note("cache.json", b"second", replaces=b"first")
        store.write_note("cache.json", b"third")
    assert store.read_note("cache.json") == b"third"
    store.remove_note("cache.json")
    store.remove_note("cache.json")
    assert store.read_note("cache.json") is None
    assert store.list() == []


def one_thread_at_a_time_changes_the_key(store: Store):
    inside, most = 0, 0

    def change():
        nonlocal inside, most
        with store.changing_key():
            inside += 1
            most = max(most, inside)
            store.write_note("cache.json", b"changed")
            inside -= 1

    threads = [threading.Thread(target=change) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def places_are_for_people(store: Store):
    assert store.where
    assert store.place(NAME)
    assert store.note_place("cache.json")
    assert store.removal(NAME)


CONTRACT = (
    only_the_bytes_that_are_there_are_replaced,
    only_the_bytes_that_are_there_are_deleted,
    a_bad_entry_is_set_aside_and_loses_only_itself,
    a_list_has_pages,
    one_holds_the_lock_and_another_gets_a_no,
    a_note_is_swapped_for_the_bytes_that_are_there,
    one_thread_at_a_time_changes_the_key,
    places_are_for_people,
)
