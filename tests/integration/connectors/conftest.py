"""The workspace and the service principal that the tests of the connectors begin with."""

import pytest

import lakekey


@pytest.fixture
def box(lakekey_environment):
    """The workspace."""
    return lakekey_environment


def service_principal(box):
    """A provider of a sandbox's service principal."""
    return lakekey.provider(
        host=box.host,
        ca_file=box.ca_file,
        http_path=box.http_path,
        client_id=box.client_id,
        client_secret=box.client_secret,
    )


@pytest.fixture
def principal(box):
    return service_principal(box)


@pytest.fixture
def connection(principal):
    """A connection to its warehouse."""
    with lakekey.sql.connect(principal, enable_telemetry=False) as connection:
        yield connection


@pytest.fixture
def written(principal):
    """Counts the rows of the table ``written``, over a connection of its own."""

    def ask(statement):
        with lakekey.sql.connect(principal, enable_telemetry=False) as other, other.cursor() as cursor:
            return cursor.execute(statement).fetchall()

    ask("create or replace table written (n bigint)")
    return lambda: ask("select count(*) from written")[0][0]
