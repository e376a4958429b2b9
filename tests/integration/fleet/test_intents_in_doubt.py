"""An intent without an outcome: what leaves one, what takes it back, and what becomes of an answer that comes late."""

import threading
import time
from types import SimpleNamespace

import pytest

from lakekey.cache.entry import Entry, Failure
from lakekey.cache.envelope import seal
from lakekey.cache.keys.choice import NOTE
from lakekey.cache.keys.ring import KeyRing, key_id
from lakekey.cache.stores.postgresql_table import TABLE
from lakekey.errors import StoreUnavailable, TokenEndpointError
from lakekey.providers.provider import Provider
from lakekey.session import exchange
from lakekey.session.intent import OUTCOME_AFTER, Intent
from lakekey.session.spending import Spending
from support.inside import session_of
from support.sessions import QUICK
from support.waiting import until

pytestmark = [pytest.mark.timeout(180), pytest.mark.usefixtures("unattended")]
GIVEN_UP = Failure("login_required", "the session is over (the refresh token was sent twice)", 1.0)


@pytest.fixture
def server(postgresql):
    return postgresql


@pytest.fixture
def here(monkeypatch):
    """Makes this process one of a host's, and gives a provider of it."""

    def provider(host, timing=QUICK):
        host.enter(monkeypatch)
        return Provider(host.target, timing=timing)

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


def unreadable(host, postgresql):
    stored = host.cache.read(host.entry_id).envelope
    assert host.cache.store.put(host.entry_id, stored[:50], replaces=stored)


def unreadable_and_looked_at(host, postgresql):
    unreadable(host, postgresql)
    assert host.cache.get(host.entry_id) is None


def of_another_key(host, postgresql):
    stored, key = host.cache.read(host.entry_id).envelope, bytes(32)
    other = seal(KeyRing({key_id(key): key}, key_id(key), "memory", "a test"), host.entry_id, b"{}")
    assert host.cache.store.put(host.entry_id, other, replaces=stored)


def emptied(host, postgresql):
    postgresql.sql(f"DELETE FROM {TABLE} WHERE kind <> 'lease' AND (kind, name) <> ('note', 'schema')")


@pytest.mark.parametrize("damage", [unreadable, unreadable_and_looked_at, of_another_key, emptied])
def test_answer_is_stored_over_an_entry_that_went_bad_meanwhile(signed_in, oidc_server, postgresql, damage):
    with signed_in.started("pauses_at", "answer received", "main") as holder:
        holder.until("at")
        damage(signed_in, postgresql)
        holder.go_on()
        assert holder.result()["ok"]
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
    fleet, signed_in, oidc_server, postgresql, proxy, here
):
    host = fleet.host("b", address=postgresql.address_at(proxy.port, sslmode="disable", connect_timeout="3"))
    provider = here(host, QUICK._replace(store_patience=0.0))
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


def doubt(host, *, since=0.0):
    """Leave an intent in the entry, as a holder does that has sent the token."""
    stored = host.cache.read(host.entry_id)
    intent = Intent.to_spend(stored.entry.refresh_token, resent=False)._replace(since=since)
    declared = stored.entry._replace(spending=tuple(intent))
    assert host.cache.put(host.entry_id, declared, replaces=stored.envelope)


def intent_of(host):
    return Intent.in_entry(host.stored())


def test_attempt_that_sends_nothing_does_not_settle_an_earlier_doubt(fleet, signed_in, oidc_server):
    doubt(signed_in)
    with oidc_server.offline():
        assert fleet.host("b").fresh_process()["error"] == "TokenEndpointError"
    assert (intent_of(signed_in).since, intent_of(signed_in).resent) == (0.0, False)
    unreadable = {"HTTPS_PROXY": "http://user:pass/word@proxy:8080", "NO_PROXY": "", "no_proxy": ""}
    assert fleet.host("c").fresh_process(**unreadable)["error"] == "ConfigurationError"
    assert (intent_of(signed_in).since, intent_of(signed_in).resent) == (0.0, False)
    assert fleet.host("d").fresh_process(LAKEKEY_UNSETTLED="refuse")["error"] == "LoginRequired"
    assert refreshes(oidc_server) == 0


def test_intent_from_an_hour_in_the_future_is_waited_for_from_now(fleet, signed_in, oidc_server):
    doubt(signed_in, since=time.time() + 3600)
    before, seen = intent_of(signed_in), []

    def is_of_now():
        seen.append(intent_of(signed_in))
        return seen[-1] is None or seen[-1].since <= time.time() + OUTCOME_AFTER

    with fleet.host("b").hurried("asks_once", OUTCOME_AFTER="6") as other:
        until(is_of_now, pause=0.05)
        intent = seen[-1]
        assert intent is not None, "the token was sent at once"
        assert intent == before._replace(since=intent.since), "another holder took over at once"
        assert other.result()["ok"]
    assert refreshes(oidc_server) == 1
    signed_in.assert_session_is_whole()


@pytest.mark.parametrize(
    ("kind", "options"),
    [("reset", {}), ("garbage", {}), *(("status", {"status": status}) for status in (500, 502, 504))],
)
def test_single_use_token_is_sent_once_where_no_answer_says_no(signed_in, oidc_server, here, kind, options):
    provider = here(signed_in)
    with oidc_server.fault("token", kind, times=None, **options), pytest.raises(TokenEndpointError):
        provider.headers()
    assert oidc_server.counters()["requests.token"] == 1
    assert intent_of(signed_in).since == 0.0
    oidc_server.clear_faults()
    assert provider.headers()
    signed_in.assert_session_is_whole()


def test_answer_that_says_no_is_tried_again_and_leaves_no_doubt(signed_in, oidc_server, here):
    oidc_server.fault("token", "status", times=2, status=503)
    assert here(signed_in).headers()
    assert oidc_server.counters()["requests.token"] == 3
    signed_in.assert_session_is_whole()


def test_sign_out_whose_removal_is_overtaken_looks_again(signed_in, here, monkeypatch):
    session = session_of(here(signed_in))
    delete, overtaken = session.cache.delete, []

    def late(entry_id, *, replaces):
        if not overtaken:
            overtaken.append(True)
            stored = signed_in.cache.read(entry_id)
            assert signed_in.cache.put(entry_id, stored.entry, replaces=stored.envelope)
        return delete(entry_id, replaces=replaces)

    monkeypatch.setattr(session.cache, "delete", late)
    session.sign_out()
    assert signed_in.cache.get(signed_in.entry_id) is None


def test_a43_entry_with_an_intent_is_left_alone_by_a_release_that_knows_none(signed_in):
    entry = signed_in.stored()._replace(spending=("nonce", "host a", 1.0, "digest", False))
    assert b'"format":2' in entry.to_bytes()
    assert b'"format":1' in signed_in.stored().to_bytes()
    assert Entry.from_bytes(entry.to_bytes()) == entry


def test_time_that_the_intent_takes_to_store_is_not_there_for_the_exchange(signed_in, oidc_server, here, monkeypatch):
    declare, late = Spending.declare, [100.0]  # seconds, after which another host may send the token

    def slowly(*arguments):
        late[0] = 0.0
        return declare(*arguments)

    monkeypatch.setattr(Spending, "declare", slowly)
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() - late[0], time=time.time)
    monkeypatch.setattr(exchange, "time", clock)
    with pytest.raises(TokenEndpointError):
        here(signed_in).headers()
    assert oidc_server.counters()["requests.token"] == 0
    assert intent_of(signed_in) is None
