"""Headers for a request that only clears up: no person is asked to sign in for it, though one is there."""

import threading

import pytest

import lakekey
from support.sessions import PATIENCE


@pytest.fixture
def machine(attended_machine):
    return attended_machine


def sign_ins(machine):
    return machine.server.log("authorize")


def test_a_session_is_renewed_for_it(machine):
    provider = machine.provider()
    assert provider.headers(ask=False) == provider.headers()
    assert machine.token_requests() == 1


def test_no_person_is_asked_after_a_sign_out(machine):
    provider = machine.provider()
    provider.logout()
    with pytest.raises(lakekey.LoginRequired):
        provider.headers(ask=False)
    assert sign_ins(machine) == []
    assert provider.headers(), "the same provider asks for what is no clearing up"


def test_no_person_is_asked_where_the_refresh_token_is_refused(machine):
    provider = machine.provider()
    token = provider.token().access_token
    machine.server.revoke_all()
    with pytest.raises(lakekey.LoginRequired):
        provider.invalidate(token, ask=False)
    assert sign_ins(machine) == []


def test_no_person_is_asked_after_a_sign_out_in_between(machine):
    provider = machine.provider()
    assert not provider.needs_login()
    machine.provider().logout()
    with pytest.raises(lakekey.LoginRequired):
        provider.headers(ask=False)
    assert sign_ins(machine) == []


def test_a_person_who_signs_in_elsewhere_is_not_waited_for(machine):
    asks, signs_in = machine.provider(lock_timeout=1), machine.provider()
    with machine.server.hold("authorize") as page:
        person = threading.Thread(target=signs_in.login)
        person.start()
        page.wait()
        with pytest.raises(lakekey.LockTimeout, match="has held entry"):
            asks.headers(ask=False)
        assert person.is_alive()
    person.join(PATIENCE)
    assert asks.headers(ask=False) == signs_in.headers()
