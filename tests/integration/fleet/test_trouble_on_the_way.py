"""The network between a host and the store: replies that are lost, a store that is away, slow, or a black hole."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lakekey.cache.stores.postgresql import PostgresqlStore
from lakekey.errors import StoreUnavailable
from lakekey.providers.provider import Provider
from support.fleet import Fleet
from support.servers.fault_proxy import FaultProxy
from support.servers.postgresql import ROLE
from support.servers.redis import Redis
from support.store_contract import NAME

pytestmark = pytest.mark.timeout(180)
UPDATE, INSERT = b"UPDATE lakekey_store", b"INSERT INTO lakekey_store"


@pytest.fixture
def wire(postgresql):
    """The way to PostgreSQL."""
    with FaultProxy(postgresql.port) as proxy:
        yield proxy


@pytest.fixture
def through(postgresql, wire):
    """PostgreSQL by that way."""
    return PostgresqlStore(postgresql.readable_at(wire.port, connect_timeout="3"))


@pytest.fixture
def behind(fleet, server, proxy):
    """The host whose way to the store leads through the proxy."""
    return fleet.host("a", address=server.readable_at(proxy.port, connect_timeout="3"))


@pytest.fixture
def signed_in(fleet, oidc_server):
    host = fleet.host("b")
    host.sign_in()
    oidc_server.reset()
    return host


@pytest.mark.parametrize("replaces", [None, b"first"], ids=["insert", "update"])
def test_a13_lost_reply_of_a_write_is_settled_by_reading_back(through, postgresql, wire, replaces):
    if replaces:
        postgresql.store().put(NAME, replaces, replaces=None)
    wire.cut_replies(lambda request: (UPDATE if replaces else INSERT) in request)
    assert through.put(NAME, b"second", replaces=replaces)
    assert wire.cuts == 1
    assert postgresql.store().get(NAME) == b"second"


def test_a13_lost_reply_of_a_swap_that_another_has_won_is_a_no(through, postgresql, wire):
    postgresql.store().put(NAME, b"of another", replaces=None)
    wire.cut_replies(lambda request: INSERT in request)
    assert not through.put(NAME, b"mine", replaces=None)
    assert wire.cuts == 1


def test_a13_lost_reply_of_a_removal_is_settled_by_looking(through, postgresql, wire):
    postgresql.store().put(NAME, b"first", replaces=None)
    wire.cut_replies(lambda request: b"DELETE FROM" in request)
    assert through.delete(NAME, replaces=b"first")
    assert wire.cuts == 1


def test_a14_lost_reply_of_taking_a_lease_leaves_it_ours(through, postgresql, wire):
    wire.cut_replies(lambda request: b"AS held" in request)
    with through.lock(NAME) as held:
        assert held
        assert wire.cuts == 1
        with postgresql.store().lock(NAME) as other:
            assert not other


def test_a15_driver_sends_each_write_once(through, wire):
    wire.cut_replies(lambda request: INSERT in request, times=99)
    with pytest.raises(StoreUnavailable):
        through.write_note("cache.json", b"content")
    assert wire.cuts == 4  # our own tries, each on a connection of its own
    assert wire.connections == 4


def test_frozen_server_is_not_waited_for_without_end(postgresql, wire):
    through = PostgresqlStore(postgresql.readable_at(wire.port), operation=0.2)
    wire.swallow_requests(lambda request: b"SELECT" in request)
    with pytest.raises(StoreUnavailable, match="did not answer"):
        through.get(NAME)


def test_a26_black_hole_is_an_error_within_the_connect_timeout(through, wire):
    wire.black_hole()
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        through.get(NAME)


def test_a10_holder_cut_off_before_the_intent_does_not_send(behind, signed_in, oidc_server, proxy, fleet):
    with behind.hurried("pauses_at", "under the lock", "main") as holder:
        holder.until("at")
        proxy.away()
        holder.go_on()
        assert holder.result()["error"] == "StoreUnavailable"
    assert oidc_server.counters()["requests.token"] == 0
    with fleet.host("c").hurried("asks_once") as other:
        assert other.result()["ok"]
    signed_in.assert_session_is_whole()


def test_a11_holder_cut_off_with_the_answer_stores_it_when_the_store_is_back(behind, signed_in, oidc_server, proxy):
    with behind.hurried("pauses_at", "answer received", "main") as holder:
        holder.until("at")
        proxy.away()
        holder.go_on()
        with pytest.raises(TimeoutError):  # it goes on trying
            holder.next(timeout=2.0)
        proxy.well()
        assert holder.result()["ok"]
    assert oidc_server.counters()["requests.token"] == 1
    signed_in.assert_session_is_whole()


def test_a46_two_addresses_of_one_store_make_one_request(behind, signed_in, oidc_server, proxy, unattended):
    """Two flights of one process, which share neither a connection nor a lease."""
    one, other = (Provider(host.target, environ=host.environ) for host in (signed_in, behind))
    tried = threading.Event()

    def note(request):
        if b"AS held" in request or b"HMGET" in request:  # it takes a lease
            tried.set()
        return False

    with oidc_server.hold() as hold, ThreadPoolExecutor(2) as threads:
        first = threads.submit(one.headers)
        hold.wait()
        proxy.swallow_requests(note)
        second = threads.submit(other.headers)
        has_tried = tried.wait(60)
        hold.release()
        assert first.result(60) == second.result(60)
    assert has_tried
    assert oidc_server.counters()["requests.token"] == 1
    signed_in.assert_session_is_whole()


def test_a16_server_that_restarts_in_mid_refresh_costs_nothing(signed_in, oidc_server, server, fleet):
    with oidc_server.hold() as hold, signed_in.started("asks_once") as holder:
        hold.wait()
        with fleet.host("c").started("asks_once") as other:
            server.stop()
            hold.release()
            server.start()
            assert holder.result()["ok"]
            assert other.result()["ok"]
    assert oidc_server.counters()["requests.token"] == 1
    signed_in.assert_session_is_whole()


def test_f6_service_principal_goes_on_in_memory_with_one_warning(oidc_server, tmp_path, server, proxy):
    host = Fleet(oidc_server, tmp_path, server.address_at(proxy.port, connect_timeout="0"), service=True).host("a")
    proxy.away()
    with host.child("asks_once") as child:
        ended = child.result()
        assert ended["ok"], ended
        assert child.complaints().count("new tokens are kept in the memory of this process only") == 1
    assert oidc_server.counters()["requests.token"] == 1


def test_f6_person_gets_an_error_that_passes_and_no_request_is_made(signed_in, oidc_server, behind, proxy):
    proxy.away()
    ended = behind.fresh_process()
    assert ended["error"] == "StoreUnavailable"
    assert oidc_server.counters()["requests.token"] == 0
    proxy.well()
    assert behind.fresh_process()["ok"]


@contextlib.contextmanager
def taking_no_writes(server):
    """Within it, the store is read-only, or full."""
    if isinstance(server, Redis):
        server.command("CONFIG", "SET", "maxmemory", "1")
    else:
        server.sql(f"ALTER ROLE {ROLE} SET default_transaction_read_only = on")
    try:
        yield
    finally:
        if isinstance(server, Redis):
            server.command("CONFIG", "SET", "maxmemory", "0")
        else:
            server.sql(f"ALTER ROLE {ROLE} RESET default_transaction_read_only")


def test_a23_store_that_takes_no_writes_costs_a_person_no_token(signed_in, oidc_server, server):
    with taking_no_writes(server):
        assert signed_in.fresh_process()["error"] == "CacheWriteFailed"
    assert oidc_server.counters()["requests.token"] == 0
    assert signed_in.fresh_process()["ok"]
    signed_in.assert_session_is_whole()


def test_a23_service_principal_goes_on_in_memory_with_one_warning(oidc_server, tmp_path, server):
    host = Fleet(oidc_server, tmp_path, server.address, service=True).host("a")
    with taking_no_writes(server), host.child("asks_once") as child:
        ended = child.result()
        assert ended["ok"], ended
        assert child.complaints().count("new tokens are kept in the memory of this process only") == 1
    assert oidc_server.counters()["requests.token"] == 1
