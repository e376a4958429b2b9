"""The machines that the tests of a session begin with."""

import pytest

from support.sessions import QUICK, Machine


@pytest.fixture
def machine(oidc_server, tmp_path, unattended):
    """A machine that no person is at, whose session has an expired access token."""
    machine = Machine(oidc_server, tmp_path / "cache")
    machine.sign_in()
    oidc_server.reset()
    return machine


@pytest.fixture
def attended_machine(oidc_server, tmp_path, monkeypatch, attended):
    """A machine whose person has an expired session, and is at the browser."""
    monkeypatch.setenv("BROWSER", oidc_server.browser().removesuffix(" &"))
    machine = Machine(oidc_server, tmp_path / "cache", timing=QUICK)
    machine.sign_in()
    oidc_server.reset()
    return machine


@pytest.fixture
def unwatched(machine, unattended):
    """The test's machine, which no person is at any more."""
    return machine


@pytest.fixture
def service(oidc_server, tmp_path):
    """A machine with a service principal."""
    return Machine(oidc_server, tmp_path / "cache", service=True, timing=QUICK)
