"""Stores that hosts share: real servers on loopback, one of each for the whole run."""

import pytest

from support.servers.postgresql import Postgresql


@pytest.fixture(scope="session")
def postgresql_process():
    with Postgresql() as server:
        yield server


@pytest.fixture
def postgresql(postgresql_process):
    """The server, with an empty table."""
    postgresql_process.clear()
    return postgresql_process
