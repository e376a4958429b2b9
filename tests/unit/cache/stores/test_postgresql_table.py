"""How the table of a PostgreSQL store is made: what is asked of the server, and what an administrator has to do first."""

from types import SimpleNamespace

import pytest

from lakekey.cache.stores.postgresql_table import SCHEMA, create
from lakekey.errors import CacheError

TABLE, NOTE = [f"{statement}".strip() for statement in SCHEMA.split(";\n") if statement]


def made(*place):
    """What is asked of a server that says this of the place, after the question for it; and the error, if there is one."""
    asked = []

    def ask(statement, values):
        assert values == ()
        asked.append(statement.strip())
        return SimpleNamespace(rows=[place])

    try:
        create("there", ask)
    except CacheError as error:
        return asked[1:], error
    return asked[1:], None


def test_table_and_its_version_are_made_where_they_are_not():
    assert made(False, "public", "worker", True, "public", True) == ([TABLE, NOTE], None)


@pytest.mark.parametrize(("schema", "allowed"), [("public", False), (None, False)])
def test_version_is_noted_of_a_table_that_is_there_whatever_the_role_may_create(schema, allowed):
    assert made(True, schema, "worker", allowed, "public", True) == ([NOTE], None)


@pytest.mark.parametrize(
    ("first", "is_there", "why", "statement"),
    [
        (None, False, "names none", "ALTER ROLE worker SET search_path = public"),
        ("lake", False, "begins with lake, which is not there", "CREATE SCHEMA lake AUTHORIZATION worker"),
        ("lake", True, "begins with lake, which worker may not use", "GRANT USAGE, CREATE ON SCHEMA lake TO worker"),
    ],
)
def test_role_without_a_schema_gets_one_first(first, is_there, why, statement):
    asked, error = made(False, None, "worker", False, first, is_there)
    assert asked == []
    assert error.message == f"the store there has no schema to create the table in: the search_path of worker {why}"
    assert error.hint == f"an administrator runs there: {statement}; then run it again"


def test_role_that_may_not_create_is_let_first():
    asked, error = made(False, "public", "worker", False, "public", True)
    assert asked == []
    assert error.message == "the store there does not let worker create the table"
    assert error.hint.startswith(
        "an administrator runs there: GRANT CREATE ON SCHEMA public TO worker; then run it again"
    )
