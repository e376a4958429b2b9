"""Stores that hosts share: real servers on loopback, one of each for the whole run."""

import pytest

from support import earlier_releases
from support.fleet import Fleet
from support.servers.fault_proxy import FaultProxy
from support.servers.postgresql import Postgresql
from support.servers.redis import Redis, valkey

if not earlier_releases.are_there():
    collect_ignore = ["test_mixed_releases.py"]


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


@pytest.fixture(scope="session")
def valkey_process():
    with Redis(program=valkey()) as server:
        yield server


@pytest.fixture
def valkey_server(valkey_process):
    """The server, with nothing in it."""
    valkey_process.clear()
    return valkey_process


@pytest.fixture(params=["postgresql", "redis"])
def server(request):
    """The server of the store, of each kind; a module that needs one kind alone has a fixture of this name."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def fleet(oidc_server, tmp_path, server):
    """Hosts that share a store."""
    return Fleet(oidc_server, tmp_path, server.address)


@pytest.fixture
def proxy(server):
    """The way to the store, for hosts whose address leads through it."""
    with FaultProxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def signed_in(fleet, oidc_server):
    """A host whose session has an expired access token, and a single-use refresh token."""
    host = fleet.host("a")
    host.sign_in()
    oidc_server.reset()
    return host
