"""Every wait for a renewal has an end, and the error says so."""

import threading

import pytest

from lakekey import LockTimeout
from lakekey.session.timing import Timing
from support.inside import session_of
from support.sessions import Machine

# Waiters lose patience after 2 s with a lock's limit of 1 s; the exchange has its usual time.
WAITS_BRIEFLY = Timing(margin=-44.0)


@pytest.fixture
def machine(oidc_server, tmp_path, unattended):
    """A machine whose session has an expired access token, and no person at it."""
    machine = Machine(oidc_server, tmp_path / "cache", lock_timeout=1)
    machine.sign_in()
    oidc_server.reset()
    return machine


def test_a_thread_waits_for_the_lock_the_exchange_and_no_longer(machine):
    provider = machine.provider(timing=WAITS_BRIEFLY)
    with machine.server.hold("token") as hold:
        with pytest.raises(LockTimeout, match="did not end within 2 s") as caught:
            provider.headers()
        assert caught.value.profile
        hold.wait()
    assert provider.headers()  # what was sent was seen through without its callers
    machine.assert_session_is_whole()
    assert machine.token_requests() == 1


def test_where_a_person_is_there_it_waits_for_the_sign_in_as_well(machine, person_returns):
    waits = []
    provider = machine.provider()
    queue = session_of(provider).queue

    class Notes:
        def run(self, key, work, *, patience):
            waits.append(patience)

    queue.share(Notes(), "key", lambda commitment: None)
    person_returns()
    queue.share(Notes(), "key", lambda commitment: None)
    lock, login = machine.target.lock_timeout, provider.target.login_timeout
    assert waits == [lock + 45 + 15, lock + login + 45 + 15 + login + 45]


def test_all_threads_that_wait_get_the_error(machine):
    provider, errors = machine.provider(timing=WAITS_BRIEFLY), []

    def ask():
        try:
            provider.headers()
        except LockTimeout as error:
            errors.append(error)

    with machine.server.hold("token"):
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(errors) == len(threads)
    assert provider.headers()
    machine.assert_session_is_whole()
