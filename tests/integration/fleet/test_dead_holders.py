"""A holder that dies on one's own machine is succeeded at once, and never one that may live elsewhere.

Leases last as long as in production here (10 s), and so do intents (50 s): the patience of those who wait is shorter.
"""

import os
import signal
from types import SimpleNamespace

import pytest

from lakekey.cache.entry_lock import LONGEST_POLL
from lakekey.cache.stores import process_mark
from lakekey.cache.stores.lease import Leases
from lakekey.session.entry_queue import EntryQueue
from lakekey.session.intent import Intent
from support.store_contract import NAME

pytestmark = pytest.mark.timeout(180)
IMPATIENT = {"LAKEKEY_LOCK_TIMEOUT": "3"}
ON_POSTGRESQL = pytest.mark.parametrize("server", ["postgresql"], indirect=True)  # where the kind makes no difference
STEPS = ("under the lock", "intent written", "answer received")


@pytest.fixture
def restores_marks(monkeypatch):
    """This process's own marks are those of the test, and gone after it."""
    monkeypatch.setattr(process_mark, "_marks", {})
    yield
    for mark in process_mark._marks.values():
        process_mark._remove(mark)


def killed_at(host, step):
    with host.started("pauses_at", step, "main") as holder:
        holder.until("at")
        holder.kill()


def asks(host, **environ):
    with host.started("asks_once", **{**IMPATIENT, **environ}) as other:
        return other.result()


@pytest.mark.parametrize("step", STEPS)
def test_holder_killed_on_the_same_machine_is_succeeded_at_once(fleet, signed_in, oidc_server, server, step):
    killed_at(signed_in, step)
    end = asks(signed_in)
    if step == "answer received":  # the window that no client can close
        assert end["error"] == "LoginRequired" and "session is over" in end["message"]
        assert asks(signed_in)["error"] == "LoginRequired"
        assert oidc_server.counters()["requests.token.refresh_token"] == 2
        return
    assert end["ok"], end
    signed_in.assert_session_is_whole()
    assert oidc_server.counters()["requests.token.refresh_token"] == 1
    assert server.leases() == []


@ON_POSTGRESQL
@pytest.mark.parametrize("step", ["under the lock", "intent written"])
def test_holder_killed_on_another_machine_is_waited_for(fleet, signed_in, oidc_server, step):
    killed_at(signed_in, step)
    end = asks(fleet.host("b"))
    assert end["error"] == "LockTimeout", end
    assert oidc_server.counters()["requests.token.refresh_token"] == 0


@ON_POSTGRESQL
def test_holder_killed_while_another_process_waits_is_succeeded_before_its_lease_ends(fleet, signed_in, oidc_server):
    with signed_in.started("pauses_at", "under the lock", "main") as holder:
        holder.until("at")
        with signed_in.started("asks_once", LAKEKEY_LOCK_TIMEOUT="6") as other:
            with pytest.raises(TimeoutError):  # the lease is renewed meanwhile: it lasts for 6.6 s at least
                other.next(timeout=2.0)
            holder.kill()
            assert other.result()["ok"]
    assert oidc_server.counters()["requests.token.refresh_token"] == 1


@ON_POSTGRESQL
def test_frozen_holder_is_not_mistaken_for_dead(fleet, signed_in, oidc_server):
    with signed_in.started("pauses_at", "intent written", "main") as holder:
        holder.until("at")
        holder.signal(signal.SIGSTOP)
        assert asks(signed_in)["error"] == "LockTimeout"
        holder.signal(signal.SIGCONT)
        holder.go_on()
        assert holder.result()["ok"]
    assert oidc_server.counters()["requests.token.refresh_token"] == 1


@ON_POSTGRESQL
def test_holder_in_another_process_namespace_is_known_to_live_and_to_have_died(fleet, signed_in, oidc_server):
    """Containers of one pod that share a directory for temporary files: the process ids of each mean nothing here."""
    own = ["unshare", "--pid", "--fork", "--kill-child"]
    with signed_in.started("pauses_at", "under the lock", "main", before=own) as holder:
        holder.until("at")
        assert asks(signed_in)["error"] == "LockTimeout"
        holder.kill()  # and the kernel kills its child
        assert asks(signed_in, LAKEKEY_LOCK_TIMEOUT="5")["ok"]
    assert oidc_server.counters()["requests.token.refresh_token"] == 1


@ON_POSTGRESQL
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_child_that_lives_on_does_not_stand_for_a_holder_that_died(fleet, signed_in, oidc_server):
    with signed_in.started("pauses_at", "nowhere", "forked") as holder:
        child = holder.until("forked")["pid"]
        holder.until("at")
        holder.kill()
        try:
            assert asks(signed_in)["ok"]
        finally:
            os.kill(child, signal.SIGKILL)
    signed_in.assert_session_is_whole()


def test_death_of_the_holder_is_noticed_between_two_tries_and_ends_the_pause(
    fleet, signed_in, server, monkeypatch, restores_marks
):
    monkeypatch.setenv("TMPDIR", signed_in.environ["TMPDIR"])
    store = server.store()
    with signed_in.started("pauses_at", "under the lock", "main") as holder:
        holder.until("at")
        with store.lock(signed_in.entry_id) as held:
            assert not held
        assert not store.is_abandoned(signed_in.entry_id)
        holder.kill()
    assert store.is_abandoned(signed_in.entry_id)
    queue = EntryQueue.__new__(EntryQueue)
    queue._entry_id, queue._cache, pauses = signed_in.entry_id, SimpleNamespace(store=store), []
    queue._pause(SimpleNamespace(pause=pauses.append), 3600.0)
    assert pauses == [LONGEST_POLL]
    with store.lock(signed_in.entry_id) as held:
        assert held
    assert not store.is_abandoned(signed_in.entry_id)


def test_lease_that_ends_with_the_mark_of_a_dead_process_is_replaced_in_that_ones_name_only(server):
    """Between the look at the mark and the taking, another may have been quicker: then it is that one's."""
    keeper = server.store()._leases._keeper
    keeper.take(NAME, b"dead" * 4, "a process that died", 10.0)
    assert keeper.take(NAME, b"mine" * 4, "this one", 10.0) == b"dead" * 4
    assert keeper.take(NAME, b"fast" * 4, "a quicker one", 10.0, instead_of=b"dead" * 4) == b"fast" * 4
    assert keeper.take(NAME, b"mine" * 4, "this one", 10.0, instead_of=b"dead" * 4) == b"fast" * 4
    keeper.release(NAME, b"mine" * 4)
    assert keeper.holder(NAME) == "a quicker one"


def test_lease_and_intent_of_a_release_that_leaves_no_mark_are_waited_for(server):
    server.store()._leases._keeper.take(NAME, os.urandom(16), "an older release", 10.0)
    with server.store().lock(NAME) as held:
        assert not held
    leases = Leases(server.store()._leases._keeper)
    assert not leases.is_abandoned(NAME)
    old = Intent.to_spend("a token", resent=False)
    assert Intent(*old[:5]).is_waited_for
