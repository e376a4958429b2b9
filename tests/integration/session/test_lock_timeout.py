"""A holder that hangs: waiters end in a clear error, and the lock stays with its holder."""

import threading

import pytest

from lakekey import LockTimeout
from support.sessions import Machine


@pytest.fixture
def hanging(machine):
    """A live process that holds the lock and does not go on until it is told to."""
    with machine.child("pauses_at", "under the lock", "main") as holder:
        holder.until("at")
        yield holder


def test_a_waiter_learns_the_entry_the_holder_and_the_setting(machine, hanging):
    with pytest.raises(LockTimeout) as caught:
        machine.provider(lock_timeout=0.3).headers()
    text = str(caught.value)
    assert machine.entry_id[:12] in text
    assert f"process {hanging.pid} " in text
    assert "LAKEKEY_LOCK_TIMEOUT" in text
    assert machine.target.name in text
    assert machine.stored().refresh_token not in text


def test_the_setting_works_from_the_environment(machine, hanging):
    waiter = machine.fresh_process(LAKEKEY_LOCK_TIMEOUT="0.3")
    assert waiter["error"] == "LockTimeout"
    assert 0.3 <= waiter["seconds"] < 10


def test_every_thread_that_waits_gets_the_error(machine, hanging):
    provider, ends = machine.provider(lock_timeout=0.5), []

    def wait():
        try:
            provider.headers()
        except LockTimeout as error:
            ends.append(error)

    threads = [threading.Thread(target=wait) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ends) == 8
    assert len({id(end) for end in ends}) == 8  # each its own, so that tracebacks do not mix


def test_a_live_holder_never_loses_its_lock(machine, hanging):
    for _ in range(3):
        with pytest.raises(LockTimeout):
            machine.provider(lock_timeout=1).headers()
    assert machine.token_requests() == 0
    hanging.go_on()
    assert hanging.result()["ok"]
    assert machine.provider().headers()
    assert machine.token_requests() == 1
    machine.assert_session_is_whole()


def test_live_token_is_served_while_another_process_holds_the_lock(oidc_server, tmp_path):
    machine = Machine(oidc_server, tmp_path / "cache")
    machine.sign_in(left=300)  # stale: due for a renewal ahead of time
    with machine.cache.lock(machine.entry_id) as held:
        assert held
        provider = machine.provider()
        assert provider.headers() == provider.headers() == {"Authorization": f"Bearer {machine.stored().access_token}"}


def test_process_that_waited_in_vain_can_go_on_later(machine, hanging):
    provider = machine.provider(lock_timeout=0.3)
    with pytest.raises(LockTimeout):
        provider.headers()
    hanging.go_on()
    hanging.result()
    assert provider.headers()
