"""What stands for the connector's objects: everything reaches them, and their errors come out typed."""

import functools
import inspect
from unittest import mock

import pytest

from lakekey.sql.proxy import CursorProxy


class Theirs:
    """A cursor as a connector has it."""

    def __init__(self):
        self.arraysize, self.closed, self.rows = 1, 0, [(1,), (2,)]

    def execute(self, statement):
        self.said = statement
        return self

    def execute_async(self, statement):
        return f"begun {statement}"

    def fetchone(self):
        """The next row."""
        raise ValueError("refused")

    def rest(self, statement):
        self.said = statement

    def close(self):
        self.closed += 1

    def __iter__(self):
        yield from self.rows
        if self.said == "breaks off":
            raise ValueError("refused")


class Owner:
    """What stands for the connection, as far as a cursor asks it."""

    def begin(self, cursor, name, *args, **kwargs):
        return getattr(cursor.cursor, name)(*args, **kwargs)

    def _call(self, work):
        try:
            return work()
        except ValueError as error:
            raise PermissionError from error


class Ours(CursorProxy):
    """A cursor with an attribute of its own."""

    def __init__(self):
        self._assigned = {}
        self._owner = Owner()
        self.is_running = False
        self.cursor = Theirs()


@pytest.fixture
def ours():
    return Ours()


def test_statement_that_returns_the_cursor_returns_the_one_that_stands_for_it(ours):
    assert ours.execute("select 1") is ours
    assert ours.cursor.said == "select 1"
    assert ours.execute_async(statement="select 2") == "begun select 2"


def test_attribute_reaches_the_connectors_object_and_what_replaces_it(ours):
    ours.arraysize = 50
    ours.own_of_the_program = "kept"
    assert (ours.cursor.arraysize, ours.arraysize) == (50, 50)
    ours.is_running = True
    assert not hasattr(ours.cursor, "is_running")
    replacement = Theirs()
    ours._carry_over(replacement)
    assert vars(replacement) == vars(Theirs()) | {"arraysize": 50, "own_of_the_program": "kept"}


def test_property_is_not_hidden_by_what_a_program_sets(ours):
    with pytest.raises(AttributeError):
        ours.connection = "another"
    assert isinstance(ours.connection, Owner)
    assert isinstance(ours, Theirs)


@pytest.mark.parametrize("name", ["execute", "rest"])
def test_method_that_a_program_wraps_calls_what_was_there(ours, name):
    calls, before = [], getattr(ours, name)
    setattr(ours, name, lambda *args: (calls.append(args), before(*args))[1])
    getattr(ours, name)("select 1")
    assert calls == [("select 1",)]
    assert ours.cursor.said == "select 1"
    delattr(ours, name)
    getattr(ours, name)("select 2")
    assert len(calls) == 1


@pytest.mark.parametrize("name", ["execute", "fetchone"])
@pytest.mark.parametrize("how", [{}, {"autospec": True}])
def test_method_can_be_patched(ours, name, how):
    args = inspect.signature(getattr(ours, name)).parameters
    with mock.patch.object(ours, name, **how) as patched:
        getattr(ours, name)(*args)
    patched.assert_called_once_with(*args)
    assert ours.execute("select 1").cursor.said == "select 1"
    with pytest.raises(PermissionError):
        ours.fetchone()


def test_method_of_a_release_without_it_is_missing(ours):
    assert ours.execute.__name__ == "execute"
    assert not hasattr(ours, "catalogs")


def test_attribute_that_is_deleted_is_gone_from_what_replaces_the_object_too(ours):
    ours.own_of_the_program = "kept"
    del ours.own_of_the_program
    assert not hasattr(ours, "own_of_the_program")
    ours._carry_over(replacement := Theirs())
    assert vars(replacement) == vars(Theirs())
    del ours.arraysize
    assert not hasattr(ours.cursor, "arraysize")
    with pytest.raises(AttributeError):
        del ours.connection


def test_method_that_was_read_before_acts_on_what_replaces_the_object(ours):
    close, execute, first = ours.close, ours.execute, ours.cursor
    ours.cursor = Theirs()
    close()
    assert execute("select 1") is ours
    assert (first.closed, ours.cursor.closed, ours.cursor.said) == (0, 1, "select 1")


def test_connectors_own_cursor_is_not_closed_by_what_a_program_puts_in_the_place_of_its_close(ours):
    before, first = ours.close, ours.cursor
    ours.close = functools.partial(before)
    ours.cursor = Theirs()
    first.close()  # as the connector does with each cursor of a session that it closes
    assert (first.closed, ours.cursor.closed) == (1, 0)
    ours.close()
    assert ours.cursor.closed == 1


def test_method_of_another_object_stays_as_it_is(ours):
    ours.hook = Theirs().fetchone
    with pytest.raises(ValueError, match="refused"):
        ours.hook()


def test_errors_of_methods_and_of_rows_are_typed(ours):
    assert ours.fetchone.__doc__ == "The next row."
    with pytest.raises(PermissionError):
        ours.fetchone()
    assert list(ours.execute("all")) == [(1,), (2,)]
    rows = iter(ours.execute("breaks off"))
    assert [next(rows), next(rows)] == [(1,), (2,)]
    with pytest.raises(PermissionError):
        next(rows)


def test_end_of_a_with_statement_closes(ours):
    with ours as same:
        assert same is ours
    assert ours.cursor.closed == 1


@pytest.mark.parametrize("name", ["_assigned", "cursor", "arraysize"])
def test_object_that_is_not_made_yet_has_no_attributes(name):
    with pytest.raises(AttributeError):
        getattr(object.__new__(Ours), name)
