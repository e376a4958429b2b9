"""An entry that another program has made far too long: it is damaged, and no gigabyte of it is fetched."""

import pytest

from lakekey.cache.entry import Entry
from lakekey.cache.envelope import HEADER_BYTES, BadEnvelope, seal, unseal
from lakekey.cache.keys.ring import KeyRing, key_id
from lakekey.cache.stores.alike import BEGINNING, LONGEST
from lakekey.cache.stores.postgresql_table import TABLE
from lakekey.cli import main
from lakekey.session.removal import remove
from support.servers.fault_proxy import FaultProxy
from support.store_contract import NAME, OTHER

pytestmark = pytest.mark.timeout(120)
HUGE = 100 << 20
RUBBISH = bytes(LONGEST)
#: What such an entry may begin with; ``None``: with an envelope that opens, of the session that it stands for.
HEADS = {
    "zeros": bytes(1024),
    "newer": b"LKEY\x02" + b"\7" * 1019,
    "unknown key": b"LKEY\x01" + b"\7" * 1019,
    "valid": None,
}


def write(server, name, body, kind="entry"):
    """Have something under a name in the store, as another program would."""
    store = server.store()
    if hasattr(server, "command"):
        server.command("SET", store._key(kind, name), body)
        server.command("ZADD", store._index, 0, name)
    else:
        server.sql(f"DELETE FROM {TABLE} WHERE kind = %s AND name = %s", kind, name)
        server.sql(f"INSERT INTO {TABLE} (kind, name, body) VALUES (%s, %s, %s)", kind, name, body)


def test_beginning_has_no_room_for_an_envelope():
    ring = KeyRing({key_id(bytes(32)): bytes(32)}, key_id(bytes(32)), "memory", "the test")
    assert BEGINNING < HEADER_BYTES
    for head in HEADS.values():
        with pytest.raises(BadEnvelope, match="not a lakekey envelope"):
            unseal(ring, NAME, (head or b"LKEY\x01")[:BEGINNING])


def test_entry_of_the_greatest_length_is_read_whole_and_a_longer_one_by_its_beginning(server):
    store = server.store()
    for length, read in ((LONGEST, LONGEST), (LONGEST + 1, BEGINNING)):
        write(server, NAME, bytes(length))
        assert store.get(NAME) == bytes(read)
        ((_, reading),) = store.read_page(after="", limit=5)
        assert reading.envelope == bytes(read)


def test_note_is_read_whole_and_swapped_however_long_it_is(server):
    store, note = server.store(), b"\7" * (LONGEST + 7)
    write(server, "choice", note, kind="note")
    assert store.read_note("choice") == note
    assert not store.swap_note("choice", b"new", replaces=note[:BEGINNING])
    assert store.swap_note("choice", note + b"8", replaces=note)
    assert store.swap_note("choice", b"new", replaces=note + b"8")
    assert store.read_note("choice") == b"new"


def test_huge_entry_takes_no_more_time_on_the_way_than_its_beginning(server):
    write(server, NAME, b"\0")
    if hasattr(server, "command"):
        server.command("SETRANGE", server.store()._key("entry", NAME), HUGE - 1, b"\0")
    else:
        server.sql(f"UPDATE {TABLE} SET body = decode(repeat('00', %s), 'hex') WHERE name = %s", HUGE, NAME)
    with FaultProxy(server.port) as proxy:
        proxy.slow(0.01)  # for each piece of 64 KiB at most: the whole would take 16 s
        store = type(server.store())(server.readable_at(proxy.port), operation=5.0)
        assert store.get(NAME) == bytes(BEGINNING)
        assert [reading.envelope for _, reading in store.read_page(after="", limit=5)] == [bytes(BEGINNING)]
        assert store.set_aside(NAME, bytes(BEGINNING))
    assert server.store().list() == []
    assert [len(kept) for kept in server.set_aside().values()] == [LONGEST]


def test_entry_that_is_far_too_long_makes_room_by_its_beginning_alone(server):
    store, whole = server.store(), b"head" + RUBBISH
    for make_room in (
        lambda seen: store.set_aside(NAME, seen),
        lambda seen: store.delete(NAME, replaces=seen),
        lambda seen: store.put(NAME, b"sealed", replaces=seen),
    ):
        write(server, NAME, whole)
        write(server, OTHER, b"head")
        assert store.set_aside(NAME, b"tail") is None
        assert not store.delete(NAME, replaces=b"tail")
        assert not store.put(NAME, b"sealed", replaces=b"tail")
        assert make_room(b"head")
        assert store.get(NAME) in (None, b"sealed")
        assert store.get(OTHER) == b"head"


def valid(host, length):
    """An envelope of some length that opens, of a host's session."""
    plaintext = host.stored()._replace(access_token="of-another", scopes=()).to_bytes()
    head = seal(host.cache.ring, host.entry_id, plaintext.ljust(length - HEADER_BYTES - 16))
    assert Entry.from_bytes(host.cache.open(host.entry_id, head)).refresh_token
    assert len(head) == length
    return head


@pytest.fixture(params=HEADS)
def damaged(request, signed_in, server, monkeypatch):
    """A host whose session is far too long in the store, and another entry that is whole; what it was."""
    signed_in.enter(monkeypatch)
    signed_in.cache.put(OTHER, Entry({"auth_type": "external-browser", "host": "https://a.example"}), replaces=None)
    head = HEADS[request.param] or valid(signed_in, 1024)
    signed_in.damage = head + RUBBISH
    return signed_in


def test_list_of_sessions_goes_on_beside_an_entry_that_is_far_too_long(damaged, server, capsys):
    write(server, damaged.entry_id, damaged.damage)
    assert main(["status"]) == 0
    assert "a.example" in capsys.readouterr().out
    assert server.set_aside() == {damaged.entry_id: damaged.damage[:LONGEST]}


def test_all_sessions_are_signed_out_beside_an_entry_that_is_far_too_long(damaged, server, capsys):
    write(server, damaged.entry_id, damaged.damage)
    main(["logout", "--all"])
    assert server.store().list() == [], capsys.readouterr()


def test_entry_that_is_far_too_long_is_removed(damaged, server):
    write(server, damaged.entry_id, damaged.damage)
    assert remove(damaged.cache, damaged.entry_id)
    assert server.store().list() == [OTHER]


def test_sign_in_takes_the_place_of_an_entry_that_is_far_too_long(damaged, server):
    write(server, damaged.entry_id, damaged.damage)
    damaged.sign_in()
    assert damaged.cache.get(damaged.entry_id).refresh_token


def test_rotated_token_is_stored_in_the_place_of_an_entry_that_is_far_too_long(damaged, server):
    with damaged.started("pauses_at", "answer received", "main") as holder:
        holder.until("at")
        write(server, damaged.entry_id, damaged.damage)
        holder.go_on()
        assert holder.result()["ok"]
    damaged.assert_session_is_whole()
