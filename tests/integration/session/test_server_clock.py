"""A server whose clock is minutes off: lifetimes count from our own clock, and its `Date` means nothing to us."""

import pytest

from support.sessions import Machine
from support.tiny_client import claims, whoami


@pytest.mark.parametrize("offset", [600, -86400])
@pytest.mark.parametrize("service", [False, True], ids=["person", "service principal"])
def test_a_server_whose_clock_is_off_is_asked_once_and_believed(oidc_server, tmp_path, offset, service, unattended):
    oidc_server.set_clock(offset)
    machine = Machine(oidc_server, tmp_path / "cache", service=service)
    if not service:
        machine.sign_in()
    requests = machine.token_requests()
    provider = machine.provider()
    token = provider.token()
    expires_in = claims(token.access_token)["exp"] - token.expires_at.timestamp()
    assert abs(expires_in - offset) < 30, "its own clock is off, as it should be here"
    for _ in range(5):
        assert provider.token() == token
        assert machine.provider().token() == token
    assert machine.token_requests() == requests + 1
    if not service:  # the route below does not know it
        assert whoami(oidc_server, token.access_token).status_code == 200


@pytest.mark.parametrize("offset", [600, -600])
def test_the_workspace_takes_what_is_served_up_to_the_end(oidc_server, tmp_path, offset, unattended):
    """It is the server's clock that ages here, an hour and a half in all: no token that it calls expired is served."""
    oidc_server.set_clock(offset)
    machine = Machine(oidc_server, tmp_path / "cache")
    machine.sign_in(left=-60)
    provider = machine.provider()
    for passed in range(0, 5400, 1800):
        oidc_server.set_clock(offset + passed)
        entry = machine.stored()
        if passed:  # our clock goes on as well: what is stored, and held, is so much older
            machine.store(
                left=entry.expires_at - entry.issued_at - passed,
                access_token=entry.access_token,
                refresh_token=entry.refresh_token,
            )
            provider = machine.provider()
        assert whoami(oidc_server, provider.token().access_token).status_code == 200
    machine.assert_session_is_whole()
