"""What stands for the connector's objects: everything reaches them, and their errors come out typed."""

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
