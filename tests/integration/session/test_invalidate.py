"""A server refuses an access token: it is renewed once, however many notice it."""

import threading
import time
from contextlib import ExitStack

import pytest

from lakekey import LoginRequired, TokenEndpointError
from support.inside import session_of
from support.sessions import QUICK, Machine
from support.tiny_client import whoami


@pytest.fixture
def machine(oidc_server, tmp_path, unattended):
    """A machine whose session has a live access token, and no person at it."""
    machine = Machine(oidc_server, tmp_path / "cache", timing=QUICK)
    machine.sign_in(left=3500)
    oidc_server.reset()
    return machine


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_the_workspace_refuses_is_replaced(machine, status):
    machine.server.set_unauthorized_status(status)
    provider = machine.provider()
    refused = provider.token().access_token
    machine.server.reject_access_tokens()
    assert whoami(machine.server, refused).status_code == status
    provider.invalidate(refused)
    renewed = provider.token().access_token
    assert renewed != refused
    assert whoami(machine.server, renewed).status_code == 200
    assert machine.token_requests() == 1
    machine.assert_session_is_whole()


def test_an_older_tokens_invalidation_does_nothing(machine):
    provider = machine.provider()
    first = provider.token().access_token
    provider.invalidate(first)
    second = provider.token().access_token
    for _ in range(10):
        provider.invalidate(first)
    assert provider.token().access_token == second
    assert machine.token_requests() == 1
    machine.directory.rename(machine.directory.parent / "gone")
    provider.invalidate(first)
    assert provider.token().access_token == second, "not even the cache was asked"


def test_new_token_that_is_refused_too_is_kept_for_a_while_by_every_process(machine):
    provider = machine.provider()
    first = provider.token().access_token
    assert provider.invalidate(first)
    second = provider.token().access_token
    for each in (provider, provider, machine.provider(), machine.provider()):
        assert not each.invalidate(second)
        assert each.token().access_token == second
    with machine.child("invalidates") as child:
        assert child.until("has")["header"] == f"Bearer {second}"
        child.go_on()
        assert child.result()["value"] == f"Bearer {second}"
    assert machine.token_requests() == 1
    machine.store(left=3400, access_token="older", refresh_token=machine.stored().refresh_token, on_trial=True)
    older = machine.provider()
    assert older.invalidate("older"), "a refusal that comes later is news"
    assert machine.token_requests() == 2


def test_token_that_was_renewed_because_it_was_due_is_not_on_trial(machine):
    provider = machine.provider()
    due = provider.token().access_token
    machine.store(left=-1, access_token=due, refresh_token=machine.stored().refresh_token)
    renewed = machine.provider()
    token = renewed.token().access_token
    assert token != due
    assert renewed.invalidate(token)
    assert machine.token_requests() == 2


def test_new_token_that_has_served_is_replaced_again_but_not_for_ever(machine):
    provider = machine.provider()
    token = provider.token().access_token
    renewals = 0
    for _ in range(10):
        provider.served(token)
        renewals += provider.invalidate(token)
        token = provider.token().access_token
    assert renewals == 4
    assert machine.token_requests() == 4
    machine.assert_session_is_whole()


def test_token_of_another_process_brings_the_second_chances_back(machine):
    provider = machine.provider()

    def refused_while_it_serves():
        renewals = 0
        for _ in range(10):
            token = provider.token().access_token
            provider.served(token)
            renewals += provider.invalidate(token)
        return renewals

    assert refused_while_it_serves() == 4
    machine.store(left=3000, access_token="a sibling's", refresh_token=machine.stored().refresh_token)
    assert provider.invalidate(provider.token().access_token)
    assert provider.token().access_token == "a sibling's"
    assert refused_while_it_serves() == 4


def test_token_on_trial_that_has_expired_is_replaced(machine):
    now = time.time()
    spent = machine.stored().refresh_token
    life = {"issued_at": now - 10, "expires_at": now - 5}
    machine.store(left=0, access_token="short-lived", refresh_token=spent, on_trial=True, **life)
    provider = machine.provider()
    assert provider.invalidate("short-lived")
    assert provider.token().access_token == machine.stored().access_token != "short-lived"
    assert machine.token_requests() == 1


def test_a_siblings_newer_token_is_taken_from_the_cache(machine):
    provider, sibling = machine.provider(), machine.provider()
    first = provider.token().access_token
    assert sibling.token().access_token == first
    provider.invalidate(first)
    assert sibling.token().access_token == first, "it has not heard of it"
    sibling.invalidate(first)
    assert sibling.token() == provider.token()
    assert machine.token_requests() == 1


def test_a_provider_that_holds_nothing_yet_may_be_told_of_a_refused_token(machine):
    refused = machine.stored().access_token
    provider = machine.provider()
    provider.invalidate("some other token")
    assert provider.token().access_token == refused
    assert machine.token_requests() == 0
    other = machine.provider()
    other.invalidate(refused)
    assert other.token().access_token != refused
    assert machine.token_requests() == 1


def test_a_storm_of_threads_makes_one_request(machine):
    provider = machine.provider()
    refused = provider.token().access_token
    gate = threading.Barrier(32)
    failures = []

    def notice():
        try:
            gate.wait(20)
            provider.invalidate(refused)
            assert provider.token().access_token != refused
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=notice) for _ in range(gate.parties)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert machine.token_requests() == 1
    machine.assert_session_is_whole()


def test_a_storm_of_processes_makes_one_request(machine):
    refused = f"Bearer {machine.stored().access_token}"
    with ExitStack() as stack:
        children = [stack.enter_context(machine.child("invalidates")) for _ in range(4)]
        for child in children:
            assert child.until("has")["header"] == refused
        for child in children:
            child.go_on()
        ends = [child.result() for child in children]
    assert all(end["ok"] for end in ends), ends
    assert {end["value"] for end in ends} == {f"Bearer {machine.stored().access_token}"}
    assert refused != f"Bearer {machine.stored().access_token}"
    assert machine.token_requests() == 1
    machine.assert_session_is_whole()


def test_where_there_is_no_other_token_to_be_had_the_caller_is_told_why(machine):
    provider = machine.provider()
    token = provider.token().access_token
    with machine.server.fault("token", "status", status=503, times=None), pytest.raises(TokenEndpointError):
        provider.invalidate(token)
    assert machine.stored().access_token == token, "it may have been the workspace that was wrong"
    assert provider.token().access_token == token
    provider.invalidate(token)
    assert provider.token().access_token != token
    machine.assert_session_is_whole()


def test_a_refused_token_of_a_session_that_is_over_needs_a_person(machine):
    provider = machine.provider()
    token = provider.token().access_token
    machine.server.revoke_all()
    for _ in range(3):
        with pytest.raises(LoginRequired, match="lakekey login"):
            provider.invalidate(token)
    assert machine.token_requests() == 1


def test_a_refused_token_is_not_adopted_again_from_a_sibling_that_got_past_the_lock(machine):
    """The other one has only left a note beside the very token that was refused."""
    provider = machine.provider()
    token = provider.token().access_token
    outcome = []

    def notice():
        try:
            provider.invalidate(token)
        except LoginRequired as error:
            outcome.append(error)

    machine.server.fault("token", "status", status=400, body={"error": "invalid_grant"})
    with machine.server.hold("token") as hold:
        thread = threading.Thread(target=notice)
        thread.start()
        hold.wait()
        stored = machine.stored()
        machine.store(left=3500, access_token=token, refresh_token=stored.refresh_token)
        hold.release()
        thread.join()
    assert len(outcome) == 1
    assert machine.stored().refused is not None


def test_a_slower_thread_does_not_bring_a_refused_token_back(machine, monkeypatch):
    """It has read the entry just before another thread had the token replaced."""
    machine.sign_in(left=3500)
    provider = machine.provider()
    has_read, go_on = threading.Event(), threading.Event()
    peek = type(session_of(provider)).peek

    def slowly(session):
        entry = peek(session)
        if threading.current_thread().name == "slow":
            has_read.set()
            go_on.wait(20)
        return entry

    monkeypatch.setattr(type(session_of(provider)), "peek", slowly)
    slow = threading.Thread(target=provider.headers, name="slow")
    slow.start()
    assert has_read.wait(20)
    refused = provider.token().access_token
    provider.invalidate(refused)
    renewed = provider.token().access_token
    assert renewed != refused
    go_on.set()
    slow.join()
    assert provider.token().access_token == renewed
