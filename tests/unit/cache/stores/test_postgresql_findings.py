"""What the examination of a PostgreSQL store finds in the answers of its server."""

import time
from types import SimpleNamespace

import pytest

from lakekey.cache.stores import postgresql_findings
from lakekey.cache.stores.findings import FAILED, OK, WARNING
from lakekey.cache.stores.postgresql_findings import findings

RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")
ALL_OF_THEM = [(name, True) for name in RIGHTS]
TLS = "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
TABLE = "SELECT to_regclass('lakekey_store')"
COUNT = "SELECT count(*) FROM lakekey_store WHERE kind = 'entry'"


@pytest.fixture
def rows():
    """What a server as it should be answers, by statement."""
    return {
        postgresql_findings._CLOCK: [(time.time(),)],
        postgresql_findings._WRITES: [(False, "off")],
        postgresql_findings._DURABLE: [("fsync", "on"), ("full_page_writes", "on"), ("synchronous_commit", "local")],
        postgresql_findings._RIGHTS: ALL_OF_THEM,
        postgresql_findings._TOO_MUCH: [],
        postgresql_findings._ALTERED: [],
        TLS: [(True, "TLSv1.3")],
        TABLE: [("lakekey_store",)],
        COUNT: [(7,)],
        "SELECT current_user": [("worker",)],
    }


@pytest.fixture
def found(rows):
    """What is found: with what each statement answers, and the note of the table's version."""

    def examine(schema=b"1"):
        return list(findings("the store", lambda text, _: SimpleNamespace(rows=rows[text]), lambda: schema))

    return examine


def only(everything, status):
    return [each[:1] + each[2:] for each in everything if each.status == status]


def test_server_and_table_that_are_as_they_should_be(found):
    everything = found()
    assert [each.name for each in everything] == [
        "reach", "clock", "writes", "durability", "encryption", "rights", "table", "entries",
    ]  # fmt: skip
    assert {each.status for each in everything} == {OK}
    assert [each.finding for each in everything[2:]] == [
        "it takes writes", "a write that was confirmed survives a crash of the server", "TLSv1.3",
        "SELECT, INSERT, UPDATE and DELETE on lakekey_store", "version 1", "7",
    ]  # fmt: skip
    assert not any(each.next_step for each in everything)


@pytest.mark.parametrize(
    ("answer", "finding"),
    [((True, "off"), "it is a standby"), ((True, "on"), "it is a standby"), ((False, "on"), "it is read-only")],
)
def test_server_that_takes_no_writes_is_not_the_primary(found, rows, answer, finding):
    rows[postgresql_findings._WRITES] = [answer]
    assert only(found(), FAILED) == [("writes", finding, "name the primary server in LAKEKEY_STORE")]


def test_settings_by_which_a_crash_loses_writes_are_named(found, rows):
    rows[postgresql_findings._DURABLE] = [("fsync", "off"), ("full_page_writes", "on"), ("synchronous_commit", "off")]
    assert only(found(), WARNING) == [
        (
            "durability",
            "fsync and synchronous_commit is off",
            "switch fsync and synchronous_commit on; without it a crash brings older refresh tokens back",
        )
    ]


@pytest.mark.parametrize("answer", [[], [(False, None)], [(False, "TLSv1.3")]])
def test_connection_in_clear_is_told(found, rows, answer):
    rows[TLS] = answer
    assert found()[4][1:] == (OK, "none, which is safe only on a socket, on loopback or to a pooler there", None)


def test_table_that_is_not_there_ends_the_look_at_it(found, rows):
    rows[TABLE] = [(None,)]
    assert found()[5:] == [("table", FAILED, "it does not exist", "an administrator runs: lakekey store init")]


def test_rights_that_are_lacking_are_granted_by_an_administrator(found, rows):
    rows[postgresql_findings._RIGHTS] = [(name, name in ("SELECT", "DELETE")) for name in RIGHTS]
    step = "an administrator runs there: GRANT INSERT, UPDATE ON lakekey_store TO worker"
    assert found()[5:] == [("rights", FAILED, "lacking: INSERT, UPDATE", step)]


def test_role_with_more_rights_than_it_needs_is_a_warning_and_the_look_goes_on(found, rows):
    rows[postgresql_findings._TOO_MUCH] = [("is a superuser",), ("owns the table",)]
    everything = found()
    assert [each[:2] for each in only(everything, WARNING)] == [
        ("rights", "more than it needs: the role is a superuser")
    ]
    assert everything[-1].name == "entries"


def test_altered_table_is_undone_by_an_administrator(found, rows):
    rows[postgresql_findings._ALTERED] = [("it is unlogged", "ALTER TABLE …"), ("another", "…")]
    assert found()[6:] == [("table", FAILED, "it is unlogged", "an administrator runs there: ALTER TABLE …")]


@pytest.mark.parametrize(
    ("schema", "status", "finding", "step"),
    [
        (None, OK, "version 1", None),
        (b"", OK, "version 1", None),
        (b"2", FAILED, "version 2", "upgrade lakekey here: pip install --upgrade lakekey"),
    ],
)
def test_table_of_a_later_release_is_told(found, schema, status, finding, step):
    assert found(schema)[6] == ("table", status, finding, step)


def test_what_a_terminal_would_act_on_is_not_shown_as_it_is(rows, found):
    rows[postgresql_findings._ALTERED] = [("the trigger a\x1bb may change what is stored", "DROP TRIGGER a\x1bb ON x")]
    rows[TLS] = [(True, "TLS\x9b")]
    texts = [text for each in found(schema=b"9\x1b[2J") for text in each if text]
    rows[postgresql_findings._ALTERED] = []
    texts += [text for each in found(schema=b"9\x1b[2J") for text in each if text]
    assert all(text.isprintable() for text in texts)
    assert any(r"version 9\x1b[2J" in text for text in texts)
