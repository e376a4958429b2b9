"""What a PostgreSQL store makes of answers that a server of the right kind does not give."""

from types import SimpleNamespace

import pytest

from lakekey.cache.stores.postgresql import PostgresqlStore
from lakekey.cache.stores.postgresql_leases import PostgresqlLeases
from lakekey.cache.stores.redis_leases import RedisLeases
from lakekey.errors import CacheError, CacheWriteFailed

NAME = "a" * 64
NOT_OURS = "answers with something that lakekey has not put there"


def answer(changed, rows):
    """As the server's module has it, which needs the library."""
    return SimpleNamespace(changed=changed, rows=rows)


@pytest.fixture
def store(monkeypatch):
    """A store whose server gives some answers, in turn, and the last one without end."""

    def store(*answers):
        left = list(answers)
        store = PostgresqlStore("postgresql://worker@127.0.0.1/store")
        monkeypatch.setattr(store, "_ask", lambda *_: left.pop(0) if len(left) > 1 else left[0])
        return store

    return store


def test_write_that_was_changed_on_its_way_is_an_error_that_leaves_a_doubt(store):
    with pytest.raises(CacheWriteFailed, match="changed or dropped a write") as caught:
        store(answer(1, [(b"another",)])).put(NAME, b"sealed", replaces=b"before")
    assert caught.value.in_doubt


def test_write_that_is_dropped_is_an_error_without_a_doubt(store):
    dropping = store(*[answer(0, []), answer(1, [(b"before", 7.0)])] * 4)
    with pytest.raises(CacheWriteFailed, match="changed or dropped a write") as caught:
        dropping.put(NAME, b"sealed", replaces=b"before")
    assert not caught.value.in_doubt


@pytest.mark.parametrize("rows", [[(b"a", 1)], [()], [7], None])
def test_names_of_a_changed_page_that_are_no_rows_are_an_error_of_the_store(store, rows):
    with pytest.raises(CacheError, match=NOT_OURS):
        store(answer(1, []), answer(1, rows)).swap_page([(NAME, b"old", b"new")])


@pytest.mark.parametrize("row", [(), 7, {"holder": "host a"}])
def test_holder_that_is_no_row_is_an_error_of_the_store(row):
    leases = PostgresqlLeases(lambda *_: answer(1, [row]), lambda: None, "there")
    with pytest.raises(CacheError, match=NOT_OURS):
        leases.holder(NAME)


def test_holder_is_named_without_what_a_terminal_would_act_on():
    leases = PostgresqlLeases(lambda *_: answer(1, [("host \x1b[2Ja, process 7",)]), lambda: None, "there")
    assert leases.holder(NAME) == r"host \x1b[2Ja, process 7"
    leases = RedisLeases(lambda *_: b"host \x1b[2Ja, process 7", lambda: None, "there")
    assert leases.holder(NAME) == r"host \x1b[2Ja, process 7"


@pytest.mark.parametrize(
    "rows", [None, [], [()], [7], [(True, "public")], [(False, 7, "worker", True)], [(False, "x", b"worker", 1)]]
)
def test_table_is_not_made_by_an_answer_that_is_none(store, rows):
    with pytest.raises(CacheError, match=NOT_OURS):
        store(answer(1, rows)).set_up()


@pytest.mark.parametrize("schema", [None, '"lake\x1b[2J"'])
def test_role_and_schema_are_named_without_what_a_terminal_would_act_on(store, schema):
    with pytest.raises(CacheError) as caught:
        store(answer(1, [(False, schema, '"work\x1b[2Jer"', False)])).set_up()
    assert str(caught.value).isprintable()
    assert r'"work\x1b[2Jer"' in caught.value.hint


def test_version_of_a_later_release_is_named_without_what_a_terminal_would_act_on(store):
    with pytest.raises(CacheError, match="of a later release") as caught:
        store(answer(1, [(b"9\x1b[2J", 7.0)]))._require_known_table()
    assert r"(version 9\x1b[2J)" in caught.value.message
