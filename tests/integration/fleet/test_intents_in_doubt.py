"""An intent without an outcome: what leaves one, what takes it back, and what becomes of an answer that comes late."""

import threading

import pytest

from lakekey.cache.entry import Failure
from lakekey.cache.keys.choice import NOTE
from lakekey.cache.stores.postgresql import TABLE
from lakekey.errors import StoreUnavailable
from lakekey.providers.provider import Provider
from lakekey.session import renewal
from support.fleet import Fleet
from support.servers.fault_proxy import FaultProxy
from support.sessions import QUICK

pytestmark = [pytest.mark.timeout(180), pytest.mark.usefixtures("unattended")]
GIVEN_UP = Failure("login_required", "the session is over (the refresh token was sent twice)", 1.0)


@pytest.fixture
def fleet(oidc_server, tmp_path, postgresql):
    return Fleet(oidc_server, tmp_path, postgresql.address)


@pytest.fixture
def signed_in(fleet, oidc_server):
    """A host whose session has an expired access token, and a single-use refresh token."""
    host = fleet.host("a")
    host.sign_in()
    oidc_server.reset()
    return host


@pytest.fixture
def proxy(postgresql):
    with FaultProxy(postgresql.port) as proxy:
        yield proxy


@pytest.fixture
def here(monkeypatch):
    """Makes this process one of a host's, and gives a provider of it."""

    def provider(host):
        host.directory.mkdir(mode=0o700, exist_ok=True)
        for name, value in host.own.items():
            monkeypatch.setenv(name, value)
        return Provider(host.target, timing=QUICK)

    return provider


def refreshes(server):
    return server.counters()["requests.token.refresh_token"]


def give_up(host):
    """End the session as another host does that meets a token which was sent, and no answer."""
    stored = host.cache.read(host.entry_id)
    over = stored.entry._replace(refresh_token="", spending=None, refused=GIVEN_UP)
    assert host.cache.put(host.entry_id, over, replaces=stored.envelope)


def test_error_before_anything_was_sent_leaves_no_intent(fleet, signed_in, oidc_server):
    unreadable = {"HTTPS_PROXY": "http://user:pass/word@proxy:8080", "NO_PROXY": "", "no_proxy": ""}
    for name in ("a", "b", "c"):
        assert fleet.host(name).fresh_process(**unreadable)["error"] == "ConfigurationError"
        assert signed_in.stored().spending is None
    assert refreshes(oidc_server) == 0
    assert fleet.host("d").fresh_process()["ok"]
    signed_in.assert_session_is_whole()


def test_write_is_done_though_the_key_cannot_be_looked_at_after_it(fleet, signed_in, postgresql, proxy):
    host = fleet.host("b", address=postgresql.address_at(proxy.port, sslmode="disable", connect_timeout="3"))
    cache = host.cache
    stored = cache.read(host.entry_id)
    proxy.cut_replies(lambda request: NOTE.encode() in request, times=99)
    written = cache.put(host.entry_id, stored.entry._replace(identity="written"), replaces=stored.envelope)
    assert proxy.cuts > 0
    assert written.entry.generation == signed_in.stored().generation
    assert signed_in.stored().identity == "written"


def test_answer_in_hand_is_stored_though_another_host_gave_the_session_up(signed_in, oidc_server):
    with signed_in.started("pauses_at", "answer received", "main") as holder:
        holder.until("at")
        give_up(signed_in)
        holder.go_on()
        assert holder.result()["ok"]
    assert signed_in.stored().refused is None
    signed_in.assert_session_is_whole()
    assert refreshes(oidc_server) == 1


def test_newer_sign_in_that_was_ended_is_not_replaced_by_an_older_answer(signed_in):
    with signed_in.started("pauses_at", "answer received", "main") as holder:
        holder.until("at")
        signed_in.store(left=-60, access_token="newer", refused=GIVEN_UP, logged_in_at=1_000_000.0)
        holder.go_on()
        holder.result()
    assert signed_in.stored().access_token == "newer"
    assert signed_in.stored().refresh_token == ""


def test_answer_that_could_not_be_stored_revives_the_session_that_was_given_up(
    fleet, signed_in, oidc_server, postgresql, proxy, here, monkeypatch
):
    host = fleet.host("b", address=postgresql.address_at(proxy.port, sslmode="disable", connect_timeout="3"))
    provider = here(host)
    monkeypatch.setattr(renewal, "_PATIENCE_TO_SAVE", 0.0)
    errors = []

    def ask():
        try:
            provider.headers()
        except StoreUnavailable as error:
            errors.append(error)

    with oidc_server.hold() as hold:
        asking = threading.Thread(target=ask)
        asking.start()
        hold.wait()
        proxy.away()
        hold.release()
        asking.join(60)
    assert len(errors) == 1
    proxy.well()
    postgresql.sql(f"DELETE FROM {TABLE} WHERE kind = 'lease'")  # which could not be released
    give_up(signed_in)
    assert provider.headers() == {"Authorization": f"Bearer {signed_in.stored().access_token}"}
    signed_in.assert_session_is_whole()
    assert refreshes(oidc_server) == 1
