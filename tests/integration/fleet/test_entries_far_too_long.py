"""An entry that another program has made far too long: it is damaged, and no gigabyte of it is fetched."""

import pytest

from lakekey.cache.entry import Entry
from lakekey.cache.stores.alike import BEGINNING, LONGEST
from lakekey.cache.stores.postgresql_table import TABLE
from lakekey.cli import main
from lakekey.session.removal import remove
from support.servers.fault_proxy import FaultProxy
from support.store_contract import NAME, OTHER

pytestmark = pytest.mark.timeout(120)
HUGE = 100 << 20
ZEROS = bytes(BEGINNING)


def fill(server, name, length):
    """Have the server itself make an entry of so many zeros."""
    store = server.store()
    if store.get(name) is None:
        store.put(name, b"\0", replaces=None)
    if hasattr(server, "command"):
        server.command("SETRANGE", store._key("entry", name), length - 1, b"\0")
        return
    zeros = "decode(repeat('00', %s), 'hex')"
    server.sql(f"UPDATE {TABLE} SET body = {zeros} WHERE kind = 'entry' AND name = %s", length, name)


def test_entry_of_the_greatest_length_is_read_whole_and_a_longer_one_by_its_beginning(server):
    store = server.store()
    for length, read in ((LONGEST, LONGEST), (LONGEST + 1, BEGINNING)):
        fill(server, NAME, length)
        assert store.get(NAME) == bytes(read)
        ((_, reading),) = store.read_page(after="", limit=5)
        assert reading.envelope == bytes(read)


def test_huge_entry_takes_no_more_time_on_the_way_than_its_beginning(server):
    fill(server, NAME, HUGE)
    with FaultProxy(server.port) as proxy:
        proxy.slow(0.01)  # for each piece of 64 KiB at most: the whole would take 16 s
        store = type(server.store())(server.readable_at(proxy.port), operation=5.0)
        assert store.get(NAME) == ZEROS
        assert [reading.envelope for _, reading in store.read_page(after="", limit=5)] == [ZEROS]
        assert store.set_aside(NAME, ZEROS)
    assert server.store().list() == []


def test_entry_that_is_far_too_long_is_set_aside_by_its_beginning_and_makes_room(server):
    store = server.store()
    fill(server, NAME, LONGEST + 1)
    store.put(OTHER, ZEROS, replaces=None)
    assert store.set_aside(NAME, bytes(LONGEST + 1)) is None
    assert store.set_aside(NAME, ZEROS)
    assert server.set_aside() == {NAME: ZEROS}
    assert (store.get(NAME), store.get(OTHER)) == (None, ZEROS)
    assert store.put(NAME, b"sealed", replaces=None)


def test_entry_that_is_far_too_long_is_deleted_by_its_beginning(server):
    store = server.store()
    fill(server, NAME, LONGEST + 1)
    assert not store.delete(NAME, replaces=ZEROS[1:])
    assert store.delete(NAME, replaces=ZEROS)
    store.put(OTHER, ZEROS + b"more", replaces=None)
    assert not store.delete(OTHER, replaces=ZEROS)
    assert store.list() == [OTHER]


@pytest.fixture
def damaged(signed_in, server, monkeypatch):
    """A host whose session is far too long in the store, and another entry that is whole."""
    signed_in.enter(monkeypatch)
    signed_in.cache.put(OTHER, Entry({"auth_type": "external-browser", "host": "https://a.example"}), replaces=None)
    fill(server, signed_in.entry_id, LONGEST + 1)
    return signed_in


def test_list_of_sessions_goes_on_beside_an_entry_that_is_far_too_long(damaged, server, capsys):
    assert main(["status"]) == 0
    assert "a.example" in capsys.readouterr().out
    assert list(server.set_aside()) == [damaged.entry_id]


def test_all_sessions_are_signed_out_beside_an_entry_that_is_far_too_long(damaged, server, capsys):
    main(["logout", "--all"])
    assert server.store().list() == [], capsys.readouterr()


def test_entry_that_is_far_too_long_is_removed(damaged, server):
    assert remove(damaged.cache, damaged.entry_id)
    assert server.store().list() == [OTHER]


def test_sign_in_takes_the_place_of_an_entry_that_is_far_too_long(damaged):
    damaged.sign_in()
    assert damaged.cache.get(damaged.entry_id).refresh_token
