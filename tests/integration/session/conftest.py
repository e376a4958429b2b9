"""The machines that the tests of a session begin with."""

import pytest

from support.sessions import Machine


@pytest.fixture
def machine(oidc_server, tmp_path, unattended):
    """A machine that no person is at, whose session has an expired access token."""
    machine = Machine(oidc_server, tmp_path / "cache")
    machine.sign_in()
    oidc_server.reset()
    return machine
