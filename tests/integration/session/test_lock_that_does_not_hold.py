"""A lock that lets two in, as some network file systems do: the loser of the race goes on with the winner's result."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from lakekey import LoginRequired
from support.sessions import Machine

REFUSAL = {"error": "invalid_grant", "error_description": "Refresh token is invalid"}


def race(machine: Machine, left: float) -> dict[str, str]:
    """The headers of a process whose refresh token is refused, while another one has stored a newer session."""
    machine.server.fault("token", "status", status=400, body=REFUSAL, grant_type="refresh_token")
    with ThreadPoolExecutor(1) as pool, machine.server.hold(grant_type="refresh_token") as hold:
        headers = pool.submit(machine.provider().headers)
        hold.wait()
        machine.sign_in(left=left)
        hold.release()
        return headers.result()


def test_the_winners_token_is_adopted(machine):
    headers = race(machine, left=3600)
    assert headers == {"Authorization": f"Bearer {machine.stored().access_token}"}
    assert machine.server.counters()["requests.token.refresh_token"] == 1
    machine.assert_session_is_whole()


def test_the_winners_refresh_token_is_used_where_its_access_token_has_ended(machine):
    assert race(machine, left=-60) == {"Authorization": f"Bearer {machine.stored().access_token}"}
    assert machine.server.counters()["requests.token.refresh_token"] == 2
    machine.assert_session_is_whole()


def test_session_without_a_successful_exchange_ends_for_all_at_once(machine):
    machine.server.revoke_all()
    for _ in range(2):
        with pytest.raises(LoginRequired):
            machine.provider().headers()
    assert machine.token_requests() == 1
    assert machine.stored().refused is not None
