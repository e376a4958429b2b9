"""Stores that hosts share: real servers on loopback, one of each for the whole run."""

import pytest

from support.servers.postgresql import Postgresql
from support.servers.redis import Redis


@pytest.fixture(scope="session")
def postgresql_process():
    with Postgresql() as server:
        yield server


@pytest.fixture
def postgresql(postgresql_process):
    """The server, with an empty table."""
    postgresql_process.clear()
    return postgresql_process


@pytest.fixture(scope="session")
def redis_process():
    with Redis() as server:
        yield server


@pytest.fixture
def redis(redis_process):
    """The server, with nothing in it."""
    redis_process.clear()
    return redis_process
