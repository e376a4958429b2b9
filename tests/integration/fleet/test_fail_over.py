"""PostgreSQL with a standby: the primary dies, the standby is promoted, and the old primary comes back."""

import signal

import pytest

from lakekey import LoginRequired
from lakekey.cache import near
from lakekey.cache.stores.postgresql_table import TABLE
from lakekey.providers.provider import Provider
from support.fleet import Fleet
from support.servers.fault_proxy import FaultProxy
from support.servers.postgresql import Postgresql, Standby

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def primary():
    with Postgresql() as server:
        yield server


@pytest.fixture
def way(primary):
    """The standby's way to the primary."""
    with FaultProxy(primary.port) as proxy:
        yield proxy


@pytest.fixture
def standby(primary, way):
    with Standby(primary, way.port) as server:
        yield server


@pytest.fixture
def fleet(oidc_server, tmp_path, primary, standby):
    settings = {"target_session_attrs": "read-write", "connect_timeout": "2"}
    return Fleet(oidc_server, tmp_path, primary.address_of(primary.port, standby.port, **settings))


def body_of(server, host):
    return server.sql(f"SELECT body FROM {TABLE} WHERE kind = 'entry' AND name = %s", host.entry_id)[0][0]


def forget_token(host):
    """A process that starts later finds no live token near, and has to ask the store."""
    near.NearCopies(host.own, host.own["LAKEKEY_CACHE_DIR"], host.address).drop(host.entry_id)


def refuse(provider):
    """A server refuses a token that it has accepted before."""
    token = provider.token().access_token
    provider.served(token)
    assert provider.invalidate(token)


def assert_presented_once_each(server, requests):
    counters = server.counters()
    assert counters["requests.token"] == requests
    assert counters["grant.error.invalid_grant"] == 0  # what a token that is presented twice is answered with


@pytest.mark.parametrize("how", ["dies", "stands still"])
def test_a17_fail_over_to_a_synchronous_standby_in_mid_refresh_costs_nothing(
    fleet, signed_in, oidc_server, primary, standby, how
):
    primary.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
    primary.sql("SELECT pg_reload_conf()")
    with oidc_server.hold() as hold, signed_in.started("asks_once") as holder:
        hold.wait()
        with fleet.host("b").started("asks_once") as other:
            if how == "dies":
                primary.crash()
            else:
                primary.signal(signal.SIGSTOP)  # it takes connections, and answers none
            standby.promote()
            hold.release()
            assert holder.result()["ok"]
            assert other.result()["ok"]
    assert_presented_once_each(oidc_server, 1)
    try:
        signed_in.assert_session_is_whole()
    finally:
        if how == "stands still":
            primary.signal(signal.SIGCONT)


def test_a17_token_that_a_lagging_standby_brings_back_is_not_sent_and_the_newer_one_is_put_back(
    fleet, signed_in, oidc_server, primary, standby, way, monkeypatch
):
    standby.has(body_of(primary, signed_in), signed_in.entry_id)
    way.away()
    assert signed_in.fresh_process()["ok"]  # the answer is on the primary alone
    running = fleet.host("b")
    running.directory.mkdir(mode=0o700)
    for name, value in {**running.own, "LAKEKEY_INTERACTIVE": "never"}.items():
        monkeypatch.setenv(name, value)
    provider = Provider(running.target)
    assert provider.headers()
    primary.crash()
    standby.promote()

    forget_token(signed_in)
    ended = signed_in.fresh_process()
    assert ended["error"] == "LoginRequired"
    assert "went back in time" in ended["message"]
    assert_presented_once_each(oidc_server, 1)

    refuse(provider)  # this process has the newer bytes, puts them back, and renews
    assert_presented_once_each(oidc_server, 2)
    signed_in.assert_session_is_whole()
    healed = body_of(standby, signed_in)

    primary.start()  # an old primary that was not fenced off, and is the first in the address
    assert body_of(primary, signed_in) != healed
    forget_token(running)
    with pytest.raises(LoginRequired, match="went back in time"):
        refuse(Provider(running.target))  # it has seen the newer entry, and has not its bytes
    assert_presented_once_each(oidc_server, 2)
    refuse(provider)  # of what the old primary has, the access token lives, and may serve
    refuse(provider)  # to replace that one, the newer bytes are put back
    assert body_of(primary, signed_in) == healed
    assert_presented_once_each(oidc_server, 2)
    signed_in.assert_session_is_whole()
