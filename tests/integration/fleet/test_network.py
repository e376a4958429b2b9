"""Hosts in network namespaces: a cable that is pulled, and answers that get lost on the way, as the kernel sees it."""

import contextlib
import sys
import threading

import pytest

from lakekey.cache.stores.postgresql_table import TABLE
from support.fleet import Fleet
from support.namespaces import Network, inside
from support.servers.postgresql import DATABASE, ROLE, Postgresql
from support.sessions import Child
from support.tls import write_certificates
from support.waiting import until

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(not Network.allowed(), reason="this user may make no network namespaces"),
]
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%SET body%'"
HOSTS, PROCESSES, THREADS = 4, 5, 10


@pytest.fixture(scope="module")
def network():
    with Network() as network:
        yield network


@pytest.fixture(scope="module")
def store(network, tmp_path_factory):
    """PostgreSQL in a namespace of its own, by TLS, and the file of its authority."""
    certificates = write_certificates(tmp_path_factory.mktemp("tls"))
    with Postgresql(tls=(certificates.key, certificates.cert), namespace=network.store) as server:
        yield server, certificates.ca


@pytest.fixture
def fleet(oidc_server, tmp_path, store):
    server, _ = store
    server.clear()
    return Fleet(oidc_server, tmp_path, f"postgresql://{ROLE}@/{DATABASE}?host={server._root}&port={server.port}")


@pytest.fixture
def signed_in(fleet, oidc_server):
    host = fleet.host("here")
    host.sign_in()
    oidc_server.reset()
    return host


@pytest.fixture(scope="module")
def cables(network, oidc_server_process):
    port = int(oidc_server_process.host.rpartition(":")[2])
    return [network.host(port) for _ in range(HOSTS)]


@pytest.fixture
def starts(fleet, store, cables):
    """Starts a process on one of the hosts."""
    server, authority = store

    def start(number, module, *arguments, **environ):
        cable = cables[number]
        address = (
            f"postgresql://{ROLE}:{server.password}@localhost:{server.port}/{DATABASE}?hostaddr={cable.store}"
            f"&sslmode=verify-full&sslrootcert={authority}&connect_timeout=3"
        )
        host = fleet.host(f"host-{number}", address=address)
        command = [*inside(cable.namespace), sys.executable, "-m", f"support.programs.{module}", *arguments]
        return Child(command, {**host.environ, **environ})

    return start


def assert_one_request(host, server):
    counters = server.counters()
    assert counters["requests.token"] == 1
    assert counters["grant.error.invalid_grant"] == 0
    host.assert_session_is_whole()


def test_a1_storm_of_200_clients_in_four_namespaces_makes_one_request(signed_in, oidc_server, starts, tmp_path, store):
    with contextlib.ExitStack() as stack:
        storms = []
        for number in range(HOSTS):
            homes = tmp_path / f"homes-{number}"
            homes.mkdir(mode=0o700)
            storm = starts(number, "storm", str(PROCESSES), str(THREADS), STORM_HOMES=str(homes))
            storms.append(stack.enter_context(storm))
        for storm in storms:
            storm.until("ready")
        for storm in storms:
            storm.go_on()
        reports = [storm.until("process") for storm in storms for _ in range(PROCESSES)]
    assert [error for report in reports for error in report["errors"]] == []
    assert sum(len(report["seconds"]) for report in reports) == HOSTS * PROCESSES * THREADS
    assert_one_request(signed_in, oidc_server)
    assert store[0].leases() == []


def test_a9_host_that_loses_power_is_succeeded_by_the_stores_clock(signed_in, oidc_server, starts, cables):
    with starts(0, "in_a_hurry", "pauses_at", "under the lock", "main") as holder:
        holder.until("at")
        cables[0].pull()
        try:
            holder.kill()
            with starts(1, "in_a_hurry", "asks_once") as other:
                assert other.result()["ok"]
        finally:
            cables[0].plug_in()
    assert_one_request(signed_in, oidc_server)


def test_a10_host_cut_off_before_the_intent_does_not_send(signed_in, oidc_server, starts, cables):
    with starts(0, "in_a_hurry", "pauses_at", "under the lock", "main") as holder:
        holder.until("at")
        cables[0].pull()
        try:
            holder.go_on()
            assert holder.result()["error"] == "StoreUnavailable"
        finally:
            cables[0].plug_in()
    assert oidc_server.counters()["requests.token"] == 0
    with starts(1, "in_a_hurry", "asks_once") as other:
        assert other.result()["ok"]
    assert_one_request(signed_in, oidc_server)


def test_a11_host_cut_off_during_the_exchange_stores_the_answer_when_the_cable_is_back(
    signed_in, oidc_server, starts, cables
):
    with oidc_server.hold() as hold, starts(0, "asks_once") as holder:
        hold.wait()
        cables[0].pull()
        try:
            hold.release()
            oidc_server.settle()
            with pytest.raises(TimeoutError):  # it goes on trying
                holder.next(timeout=1.0)
        finally:
            cables[0].plug_in()
        assert holder.result()["ok"]
    with starts(1, "asks_once") as other:
        assert other.result()["ok"]
    assert_one_request(signed_in, oidc_server)


def test_a13_answers_that_are_lost_one_way_cost_no_second_request(signed_in, oidc_server, starts, cables, store):
    server, _ = store
    with oidc_server.hold() as hold, starts(0, "asks_once") as holder:
        hold.wait()
        with server.owner(DATABASE) as owner:
            owner.execute("BEGIN")
            owner.execute(f"LOCK TABLE {TABLE} IN SHARE MODE")  # the write of the answer waits
            hold.release()
            until(lambda: server.sql(WAITING) != [(0,)], pause=0.01)
            cables[0].lose_answers()
            back = threading.Timer(1.5, cables[0].find_answers)
            back.start()
            owner.execute("COMMIT")  # it is written, and the host does not learn of it
        assert holder.result()["ok"]
        back.join()
    assert_one_request(signed_in, oidc_server)
