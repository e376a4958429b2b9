"""Leases that ended unnoticed, and writes that the server goes on with after their client has given them up."""

import os
import threading
import time
from types import SimpleNamespace

import pytest

from lakekey.cache.stores import alike, lease
from lakekey.cache.stores.postgresql_table import TABLE
from lakekey.errors import StoreUnavailable
from support.servers.fault_proxy import FaultProxy
from support.store_contract import NAME
from support.waiting import until

pytestmark = pytest.mark.timeout(120)
WAITING = f"SELECT count(*) FROM pg_locks WHERE relation = '{TABLE}'::regclass AND NOT granted"


@pytest.fixture(params=["insert", "update", "delete"])
def write(request, postgresql):
    """A write of a store, and what is to be there after it."""
    if request.param == "insert":
        return lambda store: store.put(NAME, b"second", replaces=None), b"second"
    postgresql.store().put(NAME, b"first", replaces=None)
    if request.param == "update":
        return lambda store: store.put(NAME, b"second", replaces=b"first"), b"second"
    return lambda store: store.delete(NAME, replaces=b"first"), None


def test_write_that_commits_after_it_was_given_up_is_not_reported_as_refused(postgresql, write):
    do, wanted = write
    done = []
    with postgresql.owner("fleet") as owner:
        owner.execute("BEGIN")
        owner.execute(f"LOCK TABLE {TABLE} IN SHARE MODE")  # reads go on, writes wait
        thread = threading.Thread(target=lambda: done.append(do(postgresql.store(operation=3.0))))
        thread.start()
        until(lambda: owner.execute(WAITING).fetchone()[0] == 2, pause=0.01)
        owner.execute("COMMIT")
    thread.join(60)
    assert done == [True]
    assert postgresql.store().get(NAME) == wanted


def test_second_threads_lease_does_not_vouch_for_the_first_ones_lost_one(postgresql):
    store, got = postgresql.store(), []

    def second():
        with store.lock(NAME) as held:
            got.append(held)

    with store.lock(NAME) as first:
        assert first
        postgresql.sql(f"DELETE FROM {TABLE} WHERE kind = 'lease'")
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(60)
        assert got == [False]
        with postgresql.store().lock(NAME) as elsewhere:
            assert elsewhere
    second()
    assert got == [False, True]


def test_lease_that_could_not_be_released_is_taken_again_by_the_same_process_at_once(server):
    with FaultProxy(server.port) as proxy:
        store = type(server.store())(server.readable_at(proxy.port, connect_timeout="0"))
        with store.lock(NAME) as held:
            assert held
            proxy.away()
        proxy.well()
        with server.store().lock(NAME) as other:
            assert not other
        with store.lock(NAME) as again:
            assert again
    assert server.leases() == []


def takes_a_lease(request):
    """Whether a host asks for a lease: by the script of Redis, or by the statement of PostgreSQL."""
    return b"HMGET" in request or b"WITH taken" in request


def test_lease_is_free_for_others_where_no_reply_said_that_it_was_taken(server):
    with FaultProxy(server.port) as proxy:
        store = type(server.store())(server.readable_at(proxy.port, connect_timeout="5"))
        proxy.cut_replies(takes_a_lease, times=alike.TRIES)
        with pytest.raises(StoreUnavailable) as caught, store.lock(NAME):
            pytest.fail("nothing is held")
        assert (caught.value.in_doubt, proxy.cuts) == (True, alike.TRIES)
    with server.store().lock(NAME) as other:
        assert other


def test_lease_of_another_outlasts_a_taking_that_got_no_reply(server):
    with FaultProxy(server.port) as proxy, server.store().lock(NAME) as other:
        assert other
        store = type(server.store())(server.readable_at(proxy.port, connect_timeout="5"))
        proxy.cut_replies(takes_a_lease, times=alike.TRIES)
        with pytest.raises(StoreUnavailable), store.lock(NAME):
            pytest.fail("nothing is held")
        with store.lock(NAME) as mine:
            assert not mine
        assert len(server.leases()) == 1


def test_lease_in_doubt_that_could_not_be_given_back_is_taken_by_the_same_process_at_once(server):
    with FaultProxy(server.port) as proxy:
        store = type(server.store())(server.readable_at(proxy.port, connect_timeout="0"))
        proxy.cut_replies(lambda request: takes_a_lease(request) and bool(server.leases()) and not proxy.away())
        with pytest.raises(StoreUnavailable), store.lock(NAME):
            pytest.fail("nothing is held")
        proxy.well()
        with server.store().lock(NAME) as other:
            assert not other
        with store.lock(NAME) as again:
            assert again
    assert server.leases() == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_lease_of_the_parent_does_not_keep_a_forked_child_from_its_own(postgresql):
    store = postgresql.store()
    with store.lock(NAME) as held:
        assert held
        postgresql.sql(f"DELETE FROM {TABLE} WHERE kind = 'lease'")
        pid = os.fork()
        if pid == 0:
            with store.lock(NAME) as own:
                os._exit(0 if own and store.still_locked(NAME) else 1)
        assert os.waitpid(pid, 0)[1] == 0


@pytest.fixture
def clocks(monkeypatch):
    """The two clocks that a lease goes by; ``ahead`` is what each reading of the wall clock adds to the next."""
    clocks = SimpleNamespace(monotonic=time.monotonic, slept=0.0, ahead=[])

    def wall():
        clocks.slept += clocks.ahead.pop(0) if clocks.ahead else 0.0
        return time.time() + clocks.slept

    clocks.time = wall
    monkeypatch.setattr(lease, "time", clocks)
    return clocks


def test_lease_is_over_when_the_machine_slept_although_the_monotonic_clock_stood_still(postgresql, clocks):
    store = postgresql.store()
    with store.lock(NAME) as held:
        assert held and store.still_locked(NAME)
        clocks.slept = 60.0
        assert not store.still_locked(NAME)


def test_lease_whose_answer_came_too_late_is_renewed_before_it_is_used(postgresql, clocks):
    clocks.ahead = [0.0, 60.0]
    store = postgresql.store()
    with store.lock(NAME) as held:
        assert held
        assert store.still_locked(NAME)


def test_lease_whose_every_answer_comes_too_late_is_not_held(postgresql, clocks):
    clocks.ahead = [60.0] * 9
    store = postgresql.store()
    with store.lock(NAME) as held:
        assert not held
        assert not store.still_locked(NAME)
    assert postgresql.leases() == []
