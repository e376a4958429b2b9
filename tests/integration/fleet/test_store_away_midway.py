"""A store that is away for a moment while a holder has the answer: at each step, nothing is lost and nothing concluded."""

import itertools
import threading

import pytest

from lakekey.cache.stores.postgresql_table import TABLE
from lakekey.errors import LakekeyError, LoginRequired, StoreUnavailable
from lakekey.providers.provider import Provider
from support.fleet import Fleet
from support.sessions import QUICK

pytestmark = [pytest.mark.timeout(180), pytest.mark.usefixtures("unattended")]


@pytest.fixture
def server(postgresql):
    return postgresql


@pytest.fixture
def provider(fleet, postgresql, proxy, monkeypatch):
    """Makes this process one of a host's whose every statement is a connection through the proxy, tried once."""
    address = postgresql.address_at(proxy.port, sslmode="disable", connect_timeout="0")

    def made(name="b", timing=QUICK):
        host = fleet.host(name, address=address)
        host.enter(monkeypatch)
        return Provider(host.target, timing=timing)

    return made


def struck(oidc_server, provider, strike):
    """What a provider gets that renews, where something strikes when its request has arrived at the server."""
    ends = []

    def ask():
        try:
            ends.append(provider.headers())
        except LakekeyError as error:
            ends.append(error)

    with oidc_server.hold() as hold:
        asking = threading.Thread(target=ask)
        asking.start()
        hold.wait()
        strike()
        hold.release()
        asking.join(60)
    return ends[0]


def damaged(host, postgresql):
    body = host.cache.read(host.entry_id).envelope
    assert host.cache.store.put(host.entry_id, body[:50], replaces=body)


def emptied(_, postgresql):
    postgresql.sql(f"DELETE FROM {TABLE} WHERE kind <> 'lease' AND (kind, name) <> ('note', 'schema')")


def changed(host, _):
    host.store(left=-60, refresh_token=host.stored().refresh_token, spending=host.stored().spending)


@pytest.mark.parametrize("damage", [damaged, emptied])
def test_answer_is_stored_whichever_of_its_statements_finds_the_store_away(
    fleet, signed_in, oidc_server, postgresql, proxy, provider, damage
):
    began = 0

    def strike(step):
        nonlocal began
        damage(signed_in, postgresql)
        began = proxy.connections
        proxy.refuse(step, step + 1)

    for step in itertools.count(1, 2):
        end = struck(oidc_server, provider(f"b{step}"), lambda: strike(step))  # noqa: B023 - called in this turn
        assert isinstance(end, dict), (step, end)
        signed_in.assert_session_is_whole()
        assert oidc_server.counters()["requests.token"] == 1
        if proxy.connections < began + step:
            break
        proxy.well()
        postgresql.lose_leases()
        signed_in.store(left=-60, refresh_token=signed_in.stored().refresh_token)
        oidc_server.reset()
    assert step > 2


def test_sign_out_elsewhere_counts_also_if_the_store_is_away_for_a_moment(signed_in, oidc_server, proxy, provider):
    def strike():
        stored = signed_in.cache.read(signed_in.entry_id)
        assert signed_in.cache.delete(signed_in.entry_id, replaces=stored.envelope)
        proxy.refuse(2, 3)

    assert isinstance(struck(oidc_server, provider(), strike), LoginRequired)
    assert signed_in.cache.get(signed_in.entry_id) is None


def test_refused_token_is_not_sent_again_though_the_store_was_away_when_it_was_refused(
    signed_in, oidc_server, proxy, provider
):
    oidc_server.revoke_all()
    mine = provider()
    end = struck(oidc_server, mine, proxy.away)
    assert isinstance(end, StoreUnavailable)
    proxy.well()
    with pytest.raises(LoginRequired, match="over"):
        mine.headers()
    assert oidc_server.counters()["requests.token"] == 1
    assert signed_in.stored().refresh_token == ""


def test_newer_sign_in_is_used_though_an_earlier_token_was_refused_while_the_store_was_away(
    signed_in, oidc_server, proxy, provider
):
    oidc_server.revoke_all()
    mine = provider()
    assert isinstance(struck(oidc_server, mine, proxy.away), StoreUnavailable)
    proxy.well()
    signed_in.sign_in()
    assert mine.headers()
    signed_in.assert_session_is_whole()


def test_answer_is_kept_where_the_store_stays_away_after_another_write(signed_in, oidc_server, proxy, provider):
    mine = provider(timing=QUICK._replace(store_patience=0.0))

    def strike():
        changed(signed_in, None)
        proxy.refuse(*range(2, 9))

    assert isinstance(struck(oidc_server, mine, strike), StoreUnavailable)
    proxy.well()
    assert mine.headers()
    signed_in.assert_session_is_whole()
    assert oidc_server.counters()["requests.token"] == 1


@pytest.mark.parametrize("refused", [2, 3, 4])
def test_service_principal_goes_on_though_the_store_goes_away_over_a_damaged_entry(
    oidc_server, tmp_path, postgresql, proxy, refused
):
    fleet = Fleet(oidc_server, tmp_path, postgresql.address, service=True)
    host = fleet.host("b", address=postgresql.address_at(proxy.port, sslmode="disable", connect_timeout="0"))
    host.store(left=3000)
    damaged(host, postgresql)
    proxy.refuse(*range(refused, 99))
    end = host.fresh_process()
    assert end["ok"], end
    assert oidc_server.counters()["requests.token"] == 1
