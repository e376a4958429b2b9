"""Redis behind a sentinel: the primary is killed, and a replica that lacks its last writes is promoted."""

import math
import signal

import pytest
from redis import exceptions as refusals

from lakekey import LoginRequired
from lakekey.cache import near
from lakekey.cache.stores.late import Limit
from lakekey.cache.stores.redis import RedisStore
from lakekey.cache.stores.redis_address import address_of
from lakekey.cache.stores.redis_sentinel import primary_of
from lakekey.errors import ConfigurationError, StoreUnavailable
from lakekey.providers.provider import Provider
from support.fleet import Fleet
from support.servers.postgresql import free_port
from support.servers.redis import Redis, Sentinel
from support.store_contract import NAME

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def primary():
    with Redis() as server:
        yield server


@pytest.fixture
def replica(primary):
    with Redis(replica_of=primary) as server:
        yield server


@pytest.fixture
def sentinel(primary, replica):
    with Sentinel(primary) as sentinel:
        yield sentinel


@pytest.fixture
def fleet(oidc_server, tmp_path, sentinel):
    return Fleet(oidc_server, tmp_path, sentinel.address)


@pytest.fixture
def signed_in(fleet, oidc_server, primary):
    """A host whose session has an expired access token and a single-use refresh token, which the replica has."""
    host = fleet.host("a")
    host.sign_in()
    oidc_server.reset()
    replicated(primary)
    return host


def replicated(primary):
    assert primary.command("WAIT", 1, 30_000) == 1


def fail_over(primary, replica, sentinel):
    primary.stop(signal.SIGKILL)
    sentinel.names(replica)


def assert_presented_once_each(server, requests):
    counters = server.counters()
    assert counters["requests.token"] == requests
    assert counters["grant.error.invalid_grant"] == 0  # what a token that is presented twice is answered with


class Saying:
    """A connection to a sentinel that gives some answer, or an error."""

    def __init__(self, answer):
        self.answer = answer
        self.closed = False
        self.limit = Limit(math.inf)

    def connect(self):
        """There is nothing to connect to."""

    def send_command(self, *words):
        assert words == ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")

    def read_response(self):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def disconnect(self):
        self.closed = True


LIES = [
    [b"\xff", b"1"],
    [b"127.0.0.1", b"many"],
    [b"127.0.0.1"],
    7,
    [7, 7],
    refusals.InvalidResponse("?"),
    KeyError("map"),
]


@pytest.mark.parametrize("lie", [*LIES, refusals.ResponseError("no such command"), TimeoutError("late"), None])
def test_sentinel_that_lies_or_does_not_know_is_passed_over_for_the_next(lie):
    first, second = Saying(lie), Saying([b"127.0.0.1", b"6380"])
    address = address_of("redis+sentinel://127.0.0.1:1,127.0.0.1:2/0")
    assert primary_of(address, lambda node, _: {1: first, 2: second}[node[1]], 1.0) == ("127.0.0.1", 6380)
    assert first.closed and second.closed


@pytest.mark.parametrize("lie", LIES)
def test_sentinels_that_all_lie_are_named_without_what_they_say(lie):
    address = address_of("redis+sentinel://127.0.0.1:1,127.0.0.1:2/0")
    with pytest.raises(refusals.ConnectionError) as caught:
        primary_of(address, lambda *_: Saying(lie), 1.0)
    said = str(caught.value)
    assert [f"127.0.0.1:{port}: what it says cannot be read" in said for port in (1, 2)] == [True, True]


def test_a19_fail_over_in_mid_refresh_costs_nothing_where_the_replica_has_all(
    fleet, signed_in, oidc_server, primary, replica, sentinel
):
    with oidc_server.hold() as hold, signed_in.started("asks_once") as holder:
        hold.wait()
        replicated(primary)
        fail_over(primary, replica, sentinel)
        hold.release()
        assert holder.result()["ok"]
    assert fleet.host("b").fresh_process()["ok"]
    assert_presented_once_each(oidc_server, 1)
    signed_in.assert_session_is_whole()


def test_a19_replica_without_the_lease_leaves_one_presentation(
    fleet, signed_in, oidc_server, primary, replica, sentinel
):
    primary.cut_off_replicas()
    with signed_in.hurried("pauses_at", "under the lock", "main") as holder:
        holder.until("at")
        fail_over(primary, replica, sentinel)
        assert replica.leases() == []
        with fleet.host("b").hurried("asks_once") as other:
            assert other.result()["ok"]
        holder.go_on()
        assert holder.result()["ok"]  # by the other's token
    assert_presented_once_each(oidc_server, 1)
    signed_in.assert_session_is_whole()


def test_a19_token_that_a_lagging_replica_brings_back_is_not_sent_and_the_newer_one_is_put_back(
    fleet, signed_in, oidc_server, primary, replica, sentinel, monkeypatch
):
    primary.cut_off_replicas()
    assert signed_in.fresh_process()["ok"]  # the answer is on the primary alone
    for name, value in {**signed_in.own, "LAKEKEY_INTERACTIVE": "never"}.items():
        monkeypatch.setenv(name, value)
    provider = Provider(fleet.host("a").target)
    near.NearCopies(signed_in.own, signed_in.own["LAKEKEY_CACHE_DIR"], signed_in.address).drop(signed_in.entry_id)
    token = provider.token().access_token
    fail_over(primary, replica, sentinel)
    near.NearCopies(signed_in.own, signed_in.own["LAKEKEY_CACHE_DIR"], signed_in.address).drop(signed_in.entry_id)
    with pytest.raises(LoginRequired, match="went back in time"):
        Provider(fleet.host("a").target).headers()
    assert_presented_once_each(oidc_server, 1)
    provider.served(token)
    assert provider.invalidate(token)  # this process has the newer bytes
    assert_presented_once_each(oidc_server, 2)
    signed_in.assert_session_is_whole()


def test_sentinels_that_name_no_primary_are_told_with_the_reason_and_without_passwords(sentinel):
    other = sentinel.address.replace("service=fleet", "service=other")
    wrong = sentinel.address.replace(sentinel.password, "dose-of-another")
    for address, reason in (
        (other, f"127.0.0.1:{sentinel.port} knows no 'other'"),
        (wrong, "invalid username-password pair"),
    ):
        with pytest.raises(StoreUnavailable, match=reason) as caught:
            RedisStore(f"{address}&connect_timeout=0").get(NAME)
        assert "dose" not in str(caught.value)
        assert caught.value.__cause__ is caught.value.__context__ is None
    assert RedisStore(sentinel.address).get(NAME) is None


def test_sentinel_that_names_another_host_is_not_followed_by_a_clear_connection(sentinel):
    with pytest.raises(ConfigurationError, match="in clear"):
        address_of("redis+sentinel://127.0.0.1:26379,sentinel.example.com/0")
    with pytest.raises(ConfigurationError, match="does not take"):
        address_of(f"redis://127.0.0.1:{free_port()}/0?service=fleet")
    assert address_of("rediss+sentinel://a,[::1]:7/2").sentinels == (("a", 26379), ("::1", 7))
