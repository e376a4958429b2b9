"""Two hundred clients with homes of their own meet one expired entry, on servers that take few connections."""

import pytest

from lakekey.cache.stores.postgresql import PostgresqlStore
from support.fleet import Fleet
from support.servers.postgresql import CONNECTIONS, Pgbouncer

pytestmark = pytest.mark.timeout(240)
PROCESSES, THREADS = 20, 10
CLIENTS = 40  # of Redis: one for each process, and as many for those that hang up
LATEST = 90.0  # seconds; other tests may keep this machine busy


def storm(host, tmp_path):
    """Lets them loose; the reports of the processes."""
    homes = tmp_path / "homes"
    homes.mkdir(mode=0o700)
    with host.started("storm", str(PROCESSES), str(THREADS), STORM_HOMES=str(homes)) as zygote:
        zygote.until("ready")
        zygote.go_on()
        reports = [zygote.until("process") for _ in range(PROCESSES)]
        assert zygote.result()["statuses"] == [0]
    return reports


def storm_on_a_person(server, tmp_path, address):
    host = Fleet(server, tmp_path, address).host("a")
    host.sign_in()
    server.reset()
    assert_one_request_served_all(storm(host, tmp_path), server, "refresh_token")
    host.assert_session_is_whole()


def assert_one_request_served_all(reports, server, grant):
    assert [error for report in reports for error in report["errors"]] == []
    assert sum(len(report["seconds"]) for report in reports) == PROCESSES * THREADS
    assert {report["headers"] for report in reports} == {1}
    assert max(max(report["seconds"]) for report in reports) < LATEST
    counters = server.counters()
    assert counters[f"requests.token.{grant}"] == counters["requests.token"] == 1
    assert counters["grant.error.invalid_grant"] == 0  # what a token that is presented twice is answered with


def test_a1_a2_storm_on_a_person_with_20_connections_makes_one_request(oidc_server, tmp_path, postgresql):
    assert postgresql.sql("SHOW max_connections") == [(str(CONNECTIONS),)]
    storm_on_a_person(oidc_server, tmp_path, postgresql.address)
    assert postgresql.leases() == []


def test_a3_storm_through_a_pooler_in_transaction_mode_makes_one_request(oidc_server, tmp_path, postgresql):
    with Pgbouncer(postgresql) as pooler:
        storm_on_a_person(oidc_server, tmp_path, pooler.address)
    assert postgresql.leases() == []
    assert postgresql.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]


@pytest.mark.parametrize("kind", ["redis", "valkey_server"])
def test_a1_storm_on_redis_and_on_valkey_makes_one_request(oidc_server, tmp_path, request, kind):
    server = request.getfixturevalue(kind)
    server.command("CONFIG", "SET", "maxclients", CLIENTS)
    storm_on_a_person(oidc_server, tmp_path, server.address)
    assert server.leases() == []


def test_a1_storm_of_a_service_principal_that_has_no_token_makes_one_request(oidc_server, tmp_path, postgresql):
    host = Fleet(oidc_server, tmp_path, postgresql.address, service=True).host("a")
    assert_one_request_served_all(storm(host, tmp_path), oidc_server, "client_credentials")
    assert PostgresqlStore(postgresql.address).list()
