"""A store of very many entries: it is read by pages, and a command about one entry asks for that one."""

import json

import pytest

from lakekey.cache.entry import Entry, entry_id
from lakekey.cache.envelope import key_id_of
from lakekey.cache.rotation import rotate
from lakekey.cli import main
from support.fleet import Fleet
from support.servers.fault_proxy import FaultProxy

NAME, OTHER, THIRD = "a" * 64, "b" * 64, "c" * 64
HOST = "https://dbc-12345678-abcd.cloud.databricks.com"


@pytest.fixture(params=["postgresql", "redis"])
def server(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def store(server):
    return server.store()


@pytest.fixture
def host(oidc_server, tmp_path, server, monkeypatch):
    host = Fleet(oidc_server, tmp_path, server.address).host("a")
    for name, value in host.environ.items():
        monkeypatch.setenv(name, value)
    return host


def sessions(host, number):
    """So many sessions; their ids, in order."""
    names = [entry_id({"user": f"person {each}"}) for each in range(number)]
    with host.cache.store.together():
        cache = host.cache
        for name in names:
            about = {"auth_type": "external-browser", "host": HOST}
            cache.put(name, Entry(about, refresh_token=f"refresh {name}"), replaces=None)
    return sorted(names)


def said(capsys, *words):
    status = main(words)
    out, err = capsys.readouterr()
    assert status == 0, err
    return out


def test_page_has_the_envelopes_behind_an_entry_and_the_stores_time(store):
    for name in (THIRD, NAME, OTHER):
        store.put(name, f"sealed {name}".encode(), replaces=None)
    assert [name for name, _ in store.read_page(after="", limit=2)] == [NAME, OTHER]
    ((name, reading),) = store.read_page(after=OTHER, limit=2)
    assert (name, reading.envelope) == (THIRD, f"sealed {THIRD}".encode())
    assert abs(reading.now - store.read(NAME).now) < 60
    assert list(store.read_page(after=THIRD, limit=2)) == []


def test_page_is_swapped_but_for_what_has_changed_or_is_held(store, server):
    for name in (NAME, OTHER, THIRD):
        store.put(name, b"old", replaces=None)
    swaps = [(NAME, b"old", b"new"), (OTHER, b"older", b"new"), (THIRD, b"old", b"new"), ("d" * 64, b"old", b"new")]
    with server.store().lock(THIRD) as held:
        assert held
        assert store.swap_page(swaps) == {NAME}
    assert [store.get(name) for name in (NAME, OTHER, THIRD, "d" * 64)] == [b"new", b"old", b"old", None]
    assert store.swap_page(swaps) == {NAME, THIRD}


def test_thousands_of_entries_are_read_with_few_questions(oidc_server, tmp_path, postgresql):
    rows = "SELECT 'entry', md5(n::text), '' FROM generate_series(1, 1100) n"
    postgresql.sql(f"INSERT INTO lakekey_store (kind, name, body) {rows}")
    with FaultProxy(postgresql.port) as proxy:
        host = Fleet(oidc_server, tmp_path, postgresql.address_at(proxy.port)).host("a")
        assert sum(1 for _ in host.cache.envelopes()) == 1100
        assert proxy.connections == 3


def test_status_goes_on_where_a_page_has_ended(host, capsys):
    names = sessions(host, 5)
    page = said(capsys, "status", "--limit", "2")
    shown = [name for name in names if name[:12] in page]
    assert shown == names[:2]
    assert f"lakekey status --after {names[1][:12]} --limit 2" in page
    rest = said(capsys, "status", "--after", names[1][:12])
    assert [name for name in names if name[:12] in rest] == names[2:]
    assert "There are more" not in rest


def test_status_as_json_has_all_and_its_pages_join(host, capsys):
    names = sessions(host, 3)
    everything = json.loads(said(capsys, "status", "--json"))
    assert [each["entry"] for each in everything["sessions"]] == names
    assert everything["next"] is None
    first = json.loads(said(capsys, "status", "--json", "--limit", "2"))
    assert [each["entry"] for each in first["sessions"]] == names[:2]
    last = json.loads(said(capsys, "status", "--json", "--after", first["next"], "--limit", "2"))
    assert [each["entry"] for each in last["sessions"]] == names[2:]
    assert last["next"] is None


def test_logout_of_an_entry_reads_no_other(host, store, capsys):
    (name,) = sessions(host, 1)
    others = [f"{number:064x}" for number in range(3)]
    for other in others:
        store.put(other, b"this does not open, and would be set aside by who reads it", replaces=None)
    assert "Signed out" in said(capsys, "logout", name[:12])
    assert store.list() == others


def test_rotation_seals_idle_entries_at_once_and_held_ones_when_they_are_free(host, server, monkeypatch):
    names = sessions(host, 4)
    old = host.key
    monkeypatch.setattr(host, "key", f"{'A' * 43}= {old}")
    with server.store().lock(names[0]) as held:
        assert held
        done = rotate(host.cache, patience=0.01)
    assert (done.resealed, done.busy) == (3, (names[0],))
    done = rotate(host.cache)
    assert (done.resealed, done.busy) == (1, ())
    ring = host.cache.ring
    assert {key_id_of(host.cache.store.get(name)) for name in names} == {ring.current.hex()}
    assert [host.cache.get(name).refresh_token for name in names] == [f"refresh {name}" for name in names]
