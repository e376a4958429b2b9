"""What every store on a server does alike: places without credentials, and the list in pages."""

import contextlib

import pytest

from lakekey.cache.stores.server_store import ServerStore
from lakekey.cache.stores.store import Reading

ADDRESS = "made-up://ada:dose-of-salts@db.example.org/base"


class Leases:
    """Locks that say what they were asked."""

    def hold(self, name):
        return contextlib.nullcontext(f"hold {name}")

    def still_held(self, name):
        return f"still {name}"

    def is_abandoned(self, name):
        return f"abandoned {name}"

    def holder(self, name):
        return f"holder of {name}"


class Server(ServerStore):
    """A server of so many entries, which remembers the pages it was asked for."""

    def __init__(self, count):
        super().__init__(ADDRESS, Leases())
        self.all = [f"{number:04}" for number in range(count)]
        self.pages = []

    def _read(self, kind, name):
        return Reading(f"{kind} {name}".encode())

    def _ids(self, after, limit):
        self.pages.append((after, limit))
        return [name for name in self.all if name > after][:limit]


def test_store_and_its_places_are_shown_without_credentials():
    store = Server(0)
    assert store.shared and store.spans_machines
    assert store.where == store.name == "made-up://db.example.org/base"
    assert repr(store) == "Server(made-up://db.example.org/base)"
    assert store.place("a" * 64) == f"entry {'a' * 12} in {store.where}"
    assert store.removal("a" * 64) == f"lakekey logout {'a' * 12}"
    assert store.note_place("cache.json") == f"note cache.json in {store.where}"


def test_entries_and_notes_are_read_by_their_kind():
    store = Server(0)
    assert store.read("x").envelope == store.get("x") == b"entry x"
    assert store.read_note("x") == b"note x"


def test_locks_are_the_leases():
    store = Server(0)
    with store.lock("x") as held:
        assert held == "hold x"
    assert store.still_locked("x") == "still x"
    assert store.is_abandoned("x") == "abandoned x"
    assert store.holder("x") == "holder of x"
    with store.changing_key():
        pass


@pytest.mark.parametrize(
    ("count", "how", "pages"),
    [
        (0, {}, [("", 1000)]),
        (999, {}, [("", 1000)]),
        (1000, {}, [("", 1000), ("0999", 1000)]),
        (2500, {}, [("", 1000), ("0999", 1000), ("1999", 1000)]),
        (2500, {"limit": 1500}, [("", 1000), ("0999", 500)]),
        (2500, {"limit": 1000}, [("", 1000)]),
        (2500, {"limit": 0}, []),
        (2500, {"after": "1999", "limit": 3}, [("1999", 3)]),
        (5, {"limit": 10}, [("", 10)]),
    ],
)
def test_list_is_asked_for_in_pages_and_no_further_than_needed(count, how, pages):
    store = Server(count)
    expected = [name for name in store.all if name > how.get("after", "")][: how.get("limit")]
    assert store.list(**how) == expected
    assert store.pages == pages
