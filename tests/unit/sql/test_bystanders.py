"""What a program begins on a session past our cursors."""

import gc
import weakref
from types import SimpleNamespace

import pytest
from databricks.sql.exc import InterfaceError

from lakekey.sql.attempts import counted
from lakekey.sql.bystanders import Bystanders


class Backend:
    """A backend as the connector has it: it says what was begun, and does what it is told to at that moment."""

    def __init__(self):
        self.begun, self.meanwhile = [], lambda: None

    def execute_command(self, *, operation, cursor):
        self.begun.append((operation, cursor))
        self.meanwhile()
        return "result"

    def get_tables(self, *, cursor):
        self.begun.append(("tables", cursor))

    get_catalogs = get_schemas = get_columns = get_tables


class Theirs:
    """A cursor of the connector."""


@pytest.fixture
def backend():
    return Backend()


@pytest.fixture
def bystanders(backend):
    return Bystanders(SimpleNamespace(session=SimpleNamespace(backend=backend)))


def test_statement_past_us_shapes_the_session_and_reaches_the_server(backend, bystanders):
    theirs = Theirs()
    assert not bystanders.have_shaped
    assert backend.execute_command(operation="use schema staging", cursor=theirs) == "result"
    assert backend.begun == [("use schema staging", theirs)]
    assert bystanders.have_shaped


def test_statement_that_fails_past_us_may_have_had_its_effect(backend, bystanders):
    backend.meanwhile = lambda: 1 / 0
    with pytest.raises(ZeroDivisionError):
        backend.execute_command(operation="use schema staging", cursor=Theirs())
    assert bystanders.have_shaped
    assert not bystanders.are_running()


@pytest.mark.parametrize("name", ["get_catalogs", "get_schemas", "get_tables", "get_columns"])
def test_reads_past_us_are_known_by_their_cursors_while_those_are_there(backend, bystanders, name):
    first, second = Theirs(), Theirs()
    backend.execute_command(operation="select 1", cursor=first)
    getattr(backend, name)(cursor=second)
    assert bystanders.cursors() == [first, second]
    backend.begun.clear()
    del first
    gc.collect()
    assert bystanders.cursors() == [second]
    assert not bystanders.have_shaped


def test_statement_of_our_cursor_is_not_one_past_us(backend, bystanders):
    ours = Theirs()
    with counted(ours, repeatable=False):
        backend.execute_command(operation="insert into t values (1)", cursor=ours)
    with counted(repeatable=False):  # the connector makes a cursor for it
        backend.execute_command(operation="commit", cursor=Theirs())
    assert not bystanders.have_shaped
    assert bystanders.cursors() == []


def test_statement_of_a_program_that_interrupts_ours_is_one_past_us(backend, bystanders):
    with counted(Theirs(), repeatable=True):
        backend.execute_command(operation="use schema staging", cursor=Theirs())
    assert bystanders.have_shaped


def test_statement_past_us_is_running_until_it_has_begun(backend, bystanders):
    seen = []
    backend.meanwhile = lambda: seen.append(bystanders.are_running())
    with counted(ours := Theirs(), repeatable=True):
        backend.execute_command(operation="select 1", cursor=ours)
    backend.execute_command(operation="select 1", cursor=Theirs())
    assert seen == [False, True]
    assert not bystanders.are_running()


def test_session_does_not_end_where_a_statement_has_begun_since_the_look(backend, bystanders):
    turn = bystanders.next_turn()
    backend.execute_command(operation="select 1", cursor=Theirs())
    assert not bystanders.end(turn)
    backend.execute_command(operation="select 2", cursor=Theirs())
    assert [operation for operation, _ in backend.begun] == ["select 1", "select 2"]


def test_nothing_is_begun_on_a_session_that_has_ended(backend, bystanders):
    backend.execute_command(operation="select 1", cursor=Theirs())
    assert bystanders.end(bystanders.next_turn())
    for _ in range(2):
        with pytest.raises(InterfaceError, match="nothing was sent"):
            backend.execute_command(operation="select 2", cursor=Theirs())
    assert [operation for operation, _ in backend.begun] == ["select 1"]
    assert not bystanders.are_running()


def test_statement_can_be_seen_before_it_takes_its_turn(backend, bystanders, monkeypatch):
    seen, take = [], bystanders._take_turn
    theirs = Theirs()

    def looked_at(mark):
        seen.append((bystanders.have_shaped, bystanders.are_running(), bystanders.cursors()))
        take(mark)

    monkeypatch.setattr(bystanders, "_take_turn", looked_at)
    backend.execute_command(operation="use schema staging", cursor=theirs)
    assert seen == [(True, True, [theirs])]


def test_turn_is_found_behind_those_that_were_taken_at_the_same_time(backend, bystanders):
    first = bystanders.next_turn()
    backend.execute_command(operation="select 1", cursor=Theirs())
    backend.execute_command(operation="select 2", cursor=Theirs())
    bystanders._turn = first  # as a thread leaves it that comes late
    turn = bystanders.next_turn()
    backend.execute_command(operation="select 3", cursor=Theirs())
    assert not bystanders.end(turn)
    assert bystanders.end(bystanders.next_turn())


def test_session_that_is_given_up_is_not_kept():
    backend = Backend()
    Bystanders(SimpleNamespace(session=SimpleNamespace(backend=backend)))
    gone = weakref.ref(backend)
    gc.disable()
    try:
        del backend
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("connection", [SimpleNamespace(), SimpleNamespace(session=SimpleNamespace(backend=Theirs()))])
def test_session_that_cannot_be_watched_counts_as_shaped(connection):
    assert Bystanders(connection).have_shaped
