"""Fixtures for a ``conftest.py`` to import."""

import os
from collections.abc import Iterator

import pytest

from support.node_packages import node
from support.oidc_server import OidcServer


@pytest.fixture(scope="session")
def oidc_server_process() -> Iterator[OidcServer]:
    """One server for the whole run; tests take `oidc_server`, which finds it clean."""
    if node() is None and not os.environ.get("LAKEKEY_REQUIRE_ALL"):
        pytest.skip("Node.js is not here: the independent OAuth server cannot run")
    with OidcServer() as server:
        yield server


@pytest.fixture
def oidc_server(oidc_server_process: OidcServer) -> Iterator[OidcServer]:
    """The independent OAuth server, with its log, faults, holds and settings as at the start."""
    server = oidc_server_process
    server.revoke_all()
    server.reset()
    yield server
    server.reset()
