"""SIGKILL at every step of a refresh: the next process goes on, and only an answer that was not stored is lost."""

import os
import signal
from contextlib import ExitStack

import pytest

from lakekey import LoginRequired
from support.pace import SLOWER
from support.reports import outcome
from support.sessions import Machine

pytestmark = pytest.mark.on_windows

SOON = 10.0 * SLOWER  # seconds; the guarantee is one, on a machine that does nothing else
REPEATS = 3 if SLOWER == 1 else 1
FEWER = max(1, REPEATS - 1)


def kill_at(machine: Machine, step: str, caller: str = "main") -> None:
    with machine.child("pauses_at", step, caller) as child:
        child.until("at")
        child.kill()
    machine.server.settle()


def kill_in_flight(machine: Machine, when: str, *, arrives: bool) -> None:
    """Kills a process whose request is at the server, which then goes on with it, or never sees it."""
    with machine.server.hold(when=when) as hold, machine.child("pauses_at", "nowhere", "main") as child:
        hold.wait()
        child.kill()
        hold.release(drop=not arrives)
    machine.server.settle()


def assert_the_next_goes_on(machine: Machine) -> None:
    next_process = machine.fresh_process()
    assert next_process["ok"], next_process
    assert next_process["seconds"] < SOON
    machine.assert_session_is_whole()
    assert machine.provider().headers()


def assert_the_session_is_over(machine: Machine) -> None:
    """The first to come learns it from the server, all others from the entry; signing in ends that."""
    before = machine.token_requests()
    with ExitStack() as stack:
        siblings = [stack.enter_context(machine.child("asks_once")) for _ in range(3)]
        ends = [sibling.result() for sibling in siblings]
    assert [end["error"] for end in ends] == ["LoginRequired"] * 3, ends
    assert max(end["seconds"] for end in ends) < SOON
    assert machine.token_requests() == before + 1
    entry = machine.stored()
    assert entry.refused is not None
    assert entry.refresh_token == ""
    with pytest.raises(LoginRequired, match="lakekey login"):
        machine.provider().headers()
    assert machine.token_requests() == before + 1
    machine.sign_in(left=3600)
    assert machine.provider().headers()


@pytest.mark.parametrize("step", ["before the lock", "under the lock", "stored"])
def test_killed_with_nothing_sent_or_everything_stored(machine, step):
    for _ in range(REPEATS):
        machine.store(left=-60, refresh_token=machine.stored().refresh_token)
        kill_at(machine, step)
        assert_the_next_goes_on(machine)
    assert machine.token_requests() == REPEATS


def test_killed_with_a_request_sent_that_the_server_never_processed(machine):
    for _ in range(REPEATS):
        machine.store(left=-60, refresh_token=machine.stored().refresh_token)
        kill_in_flight(machine, "before", arrives=False)
        assert_the_next_goes_on(machine)


@pytest.mark.parametrize("when", ["before", "after"])
def test_process_killed_with_an_answer_on_its_way(machine, when):
    for _ in range(FEWER):
        machine.sign_in()
        kill_in_flight(machine, when, arrives=True)
        assert machine.server.token_state(machine.stored().refresh_token) == "consumed"
        assert_the_session_is_over(machine)


@pytest.mark.posix_signals  # where a process can become another program
@pytest.mark.parametrize("arrives", [True, False])
def test_process_that_becomes_another_program_in_mid_exchange_is_as_a_killed_one(machine, arrives):
    machine.store(left=600, refresh_token=machine.stored().refresh_token)
    with machine.server.hold() as hold, machine.child("pauses_at", "nowhere", "replaced") as child:
        hold.wait()
        child.go_on()
        assert child.wait() == 0
        hold.release(drop=not arrives)
    machine.server.settle()
    machine.store(left=-60, refresh_token=machine.stored().refresh_token)
    if arrives:
        assert_the_session_is_over(machine)
    else:
        assert_the_next_goes_on(machine)


@pytest.mark.parametrize("step", ["answer received", "temporary written"])
def test_killed_with_an_answer_that_was_not_stored_yet(machine, step):
    for _ in range(FEWER):
        machine.sign_in()
        kill_at(machine, step)
        assert machine.server.token_state(machine.stored().refresh_token) == "consumed"
        assert_the_session_is_over(machine)


@pytest.mark.parametrize("step", ["under the lock", "answer received", "temporary written"])
def test_a_service_principal_loses_nothing_by_any_kill(oidc_server, tmp_path, step):
    machine = Machine(oidc_server, tmp_path / "cache", service=True)
    kill_at(machine, step)
    next_process = machine.fresh_process()
    assert next_process["ok"], next_process
    assert next_process["seconds"] < SOON


def test_what_a_killed_writer_leaves_behind_does_no_harm_and_is_gone_with_the_next(machine):
    for _ in range(REPEATS):
        kill_at(machine, "temporary written")
        machine.sign_in()
        assert len(list(machine.entries.glob("*.tmp"))) == 1
        assert machine.cache.list() == [machine.entry_id]
    assert_the_next_goes_on(machine)
    assert list(machine.entries.glob("*.tmp")) == []


def test_a_waiting_process_takes_over_from_a_killed_holder(machine):
    with machine.child("pauses_at", "under the lock", "main") as holder, machine.child("asks_once", "told") as waiter:
        holder.until("at")
        waiter.until("ready")
        waiter.go_on()
        with pytest.raises(TimeoutError):  # it waits
            waiter.next(timeout=0.5)
        holder.kill()
        taken_over = outcome(waiter.result)
    assert taken_over["value"]["ok"], taken_over
    assert taken_over["seconds"] < SOON
    machine.assert_session_is_whole()
    assert machine.token_requests() == 1


@pytest.mark.fork
def test_a_child_that_a_killed_holder_had_forked_does_not_keep_the_lock(machine):
    with machine.child("pauses_at", "nowhere", "forked") as holder:
        heir = holder.until("forked")["pid"]
        holder.until("at")
        holder.kill()
        assert_the_next_goes_on(machine)
        os.kill(heir, 0)  # it lives
        holder.process.stdin.close()  # which ends it
    assert machine.token_requests() == 1


@pytest.mark.posix_signals
def test_a_stopped_process_is_not_dead(machine):
    """Its lock stays its own, and what it had begun it ends."""
    with machine.child("pauses_at", "under the lock", "main") as holder:
        holder.until("at")
        holder.signal(signal.SIGSTOP)
        assert machine.fresh_process(LAKEKEY_LOCK_TIMEOUT="0.5")["error"] == "LockTimeout"
        holder.go_on()
        holder.signal(signal.SIGCONT)
        assert holder.result()["ok"]
    machine.assert_session_is_whole()
    assert machine.token_requests() == 1
