"""A home that several machines share: the file server gives the lock of a machine up that stood still.

The lock's files are removed here, which is what the others see then: they get the lock, and its holder lives.
"""

import signal
import sys

import pytest

from support.sessions import Child, Machine

pytestmark = [pytest.mark.timeout(120), pytest.mark.posix_signals, pytest.mark.proc]
PATIENT = {"OUTCOME_AFTER": "50"}


@pytest.fixture
def machine(oidc_server, tmp_path):
    """A machine whose session has an expired access token and a single-use refresh token."""
    machine = Machine(oidc_server, tmp_path)
    machine.sign_in()
    oidc_server.reset()
    return machine


def starts(machine, module, *arguments, **environ):
    command = [sys.executable, "-m", "support.programs.in_a_hurry", module, *arguments]
    return Child(command, {**machine.environ, "ON_A_NETWORK": "1", **environ})


def give_lock_up(machine):
    for file in machine.entries.iterdir():
        if not file.name.endswith(".entry"):
            file.unlink()


def assert_all_is_well(machine, requests=1):
    machine.assert_session_is_whole()
    assert machine.stored().spending is None
    assert machine.token_requests() == requests
    assert machine.server.counters()["grant.error.invalid_grant"] == 0


def test_holder_that_lost_its_lock_before_it_sent_does_not_send(machine):
    with starts(machine, "pauses_at", "intent written", "main") as holder:
        holder.until("at")
        holder.signal(signal.SIGSTOP)
        give_lock_up(machine)
        with starts(machine, "asks_once") as other:
            assert other.result()["ok"]
        holder.signal(signal.SIGCONT)
        holder.go_on()
        assert holder.result()["ok"]  # by the other's token
    assert_all_is_well(machine)


def test_holder_that_lost_its_lock_and_has_the_answer_keeps_the_session(machine):
    with machine.server.hold() as hold, starts(machine, "pauses_at", "nowhere", "main", **PATIENT) as holder:
        hold.wait()
        holder.signal(signal.SIGSTOP)
        give_lock_up(machine)
        hold.release()
        machine.server.settle()
        with starts(machine, "asks_once", **PATIENT) as other:
            with pytest.raises(TimeoutError):  # it meets the intent
                other.next(timeout=1.5)
            holder.signal(signal.SIGCONT)
            assert holder.result()["ok"]
            assert other.result()["ok"]
    assert_all_is_well(machine)


def test_disk_of_one_machine_has_no_intent(machine):
    with machine.child("pauses_at", "intent written", "main") as holder:
        holder.until("at")
        assert machine.stored().spending is None
        holder.go_on()
        assert holder.result()["ok"]
    assert_all_is_well(machine)
