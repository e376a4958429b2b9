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
    assert made(False, "public", "worker", True) == ([TABLE, NOTE], None)


@pytest.mark.parametrize(("schema", "allowed"), [("public", False), (None, False)])
def test_version_is_noted_of_a_table_that_is_there_whatever_the_role_may_create(schema, allowed):
    assert made(True, schema, "worker", allowed) == ([NOTE], None)


def test_database_without_a_schema_gets_one_first():
    asked, error = made(False, None, "worker", False)
    assert asked == []
    assert error.message == "the store there has no schema to create the table in"
    assert error.hint == "an administrator runs there: CREATE SCHEMA AUTHORIZATION worker; then run it again"


def test_role_that_may_not_create_is_let_first():
    asked, error = made(False, "public", "worker", False)
    assert asked == []
    assert error.message == "the store there does not let worker create the table"
    assert error.hint.startswith(
        "an administrator runs there: GRANT CREATE ON SCHEMA public TO worker; then run it again"
    )
