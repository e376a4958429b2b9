"""What a PostgreSQL store makes of answers that a server of the right kind does not give."""

from types import SimpleNamespace

import pytest

from lakekey.cache.stores import postgresql
from lakekey.cache.stores.postgresql import PostgresqlStore
from lakekey.cache.stores.postgresql_leases import PostgresqlLeases
from lakekey.cache.stores.redis_leases import RedisLeases
from lakekey.cache.stores.store import Note, Reading, reply_lost
from lakekey.errors import CacheError, CacheWriteFailed

NAME = "a" * 64
NOT_OURS = "answers with something that lakekey has not put there"


def answer(changed, rows):
    """As the server's module has it, which needs the library."""
    return SimpleNamespace(changed=changed, rows=rows)


@pytest.fixture
def store(monkeypatch):
    """A store whose server gives some answers, in turn, and the last one without end; ``asked`` is what it was asked."""

    def store(*answers):
        left = list(answers)
        store = PostgresqlStore("postgresql://worker@127.0.0.1/store")
        store.asked = []

        def ask(*asked):
            store.asked.append(asked)
            given = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(given, Exception):
                raise given
            return given

        monkeypatch.setattr(store, "_ask", ask)
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
    "rows",
    [
        None,
        [],
        [()],
        [7],
        [(True, "public")],
        [(False, 7, "worker", True, "x", True)],
        [(False, "x", b"worker", 1, "x", 1)],
    ],
)
def test_table_is_not_made_by_an_answer_that_is_none(store, rows):
    with pytest.raises(CacheError, match=NOT_OURS):
        store(answer(1, rows)).set_up()


@pytest.mark.parametrize(("schema", "is_there"), [(None, False), (None, True), ('"lake\x1b[2J"', True)])
def test_role_and_schema_are_named_without_what_a_terminal_would_act_on(store, schema, is_there):
    with pytest.raises(CacheError) as caught:
        store(answer(1, [(False, schema, '"work\x1b[2Jer"', False, '"lake\x1b[2J"', is_there)])).set_up()
    assert str(caught.value).isprintable()
    assert r'"work\x1b[2Jer"' in caught.value.hint


def test_version_of_a_later_release_is_named_without_what_a_terminal_would_act_on(store):
    with pytest.raises(CacheError, match="of a later release") as caught:
        store(answer(1, [(b"9\x1b[2J", 7.0)]))._require_known_table()
    assert r"(version 9\x1b[2J)" in caught.value.message


LOST = "the reply was lost"


def test_store_has_the_place_of_its_address(store):
    assert repr(store(answer(0, []))) == "PostgresqlStore(postgresql://127.0.0.1/store)"


@pytest.mark.parametrize(
    ("there", "done"), [(b"sealed", True), (b"of another", False), (None, False)], ids=["ours", "another's", "none"]
)
def test_lost_reply_of_a_write_is_a_yes_only_where_what_it_wrote_is_there(store, there, done):
    asked = store(reply_lost(LOST), answer(1, [(there, 7.0)]))
    assert asked.put(NAME, b"sealed", replaces=b"before") is done


def test_lost_reply_of_a_write_that_was_not_done_is_tried_again(store):
    asked = store(reply_lost(LOST), answer(1, [(b"before", 7.0)]), answer(1, [(b"sealed",)]))
    assert asked.put(NAME, b"sealed", replaces=b"before")


def test_lost_reply_of_a_write_under_a_note_that_has_changed_is_a_no(store):
    asked = store(reply_lost(LOST), answer(1, [(b"before", 7.0)]), answer(1, [(b"of another", 7.0)]))
    assert not asked.put(NAME, b"sealed", replaces=b"before", under=Note("ring", b"said"))


@pytest.mark.parametrize(("there", "done"), [(None, True), (b"newer", False)], ids=["gone", "replaced"])
def test_lost_reply_of_a_removal_is_a_yes_only_where_nothing_is_there(store, there, done):
    assert store(reply_lost(LOST), answer(1, [(there, 7.0)])).delete(NAME, replaces=b"sealed") is done


def test_page_is_read_in_order_and_one_out_of_order_is_an_error_of_the_store(store):
    rows = [("a" * 64, b"one", 7.0), ("b" * 64, b"two", 7.0)]
    assert store(answer(2, rows)).read_page(after="", limit=2) == [
        ("a" * 64, Reading(b"one", 7.0)),
        ("b" * 64, Reading(b"two", 7.0)),
    ]
    for wrong, after in ((rows[::-1], ""), (rows, "a" * 64)):
        with pytest.raises(CacheError, match=NOT_OURS):
            store(answer(2, wrong)).read_page(after=after, limit=2)


@pytest.mark.parametrize("under", [None, Note("ring", b"said")])
def test_page_of_swaps_is_sent_under_its_note_and_looked_at_afterwards(store, under):
    asked = store(answer(1, []), answer(1, [(NAME,)]))
    assert asked.swap_page([(NAME, b"old", b"new")], under=under) == {NAME}
    statement = postgresql._SWAP_PAGE if under is None else postgresql._SWAP_PAGE_UNDER
    values = (*(under or ()), [NAME], [b"old"], [b"new"])
    assert asked.asked == [(statement, values), (postgresql._SAME_PAGE, ([NAME], [b"new"]))]


def test_version_of_the_table_is_asked_for_once(store):
    asked = store(answer(1, [(b"1", 7.0)]))
    for _ in range(2):
        asked._require_known_table()
    assert len(asked.asked) == 1
