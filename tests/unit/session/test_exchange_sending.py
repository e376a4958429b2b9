"""How an exchange is sent: when it is tried again, what it commits to, and what is told of it."""

from types import SimpleNamespace

import pytest

from lakekey.cache.stores.memory import MemoryStore
from lakekey.errors import CacheWriteFailed, LoginRequired, StoreUnavailable, TokenEndpointError
from lakekey.oauth.token_response import InvalidGrant
from lakekey.session import exchange as exchange_module
from lakekey.session import unsaved
from lakekey.session.intent import Intent
from support.inside import change_entry, entry_of, session_of
from support.memory_stores import Elsewhere
from support.model_providers import AT_ONCE, cache_over, provider_over
from support.noted_commitment import NotedCommitment

pytestmark = pytest.mark.usefixtures("unattended")
PACED = AT_ONCE._replace(first_pause=1.0)


class Told:
    """Events that are noted; an exchange is made all the same."""

    def __init__(self):
        self.told = []

    def exchange(self, work):
        return work()

    def __getattr__(self, name):
        return lambda *what: self.told.append((name, *what))


@pytest.fixture
def made(server, monkeypatch):
    """A provider whose session is in a store of some kind; what it draws at random is the middle."""
    drawn = []
    monkeypatch.setattr(
        exchange_module, "random", SimpleNamespace(uniform=lambda low, high: drawn.append((low, high)) or 1.0)
    )

    def made(kind=MemoryStore):
        cache = cache_over(kind())
        provider_over(cache, server, person=True).login()
        provider = provider_over(cache, server, timing=PACED)
        exchange = session_of(provider).renewal._exchange
        exchange._events = Told()
        return SimpleNamespace(provider=provider, session=session_of(provider), exchange=exchange, drawn=drawn)

    return made


def run(of, commitment=None):
    stored = of.session.cache.read(of.session.entry_id)
    return of.exchange.run(commitment or NotedCommitment(), stored.entry, stored)


def key_of(of):
    return of.session.queue.key


def test_answer_that_comes_at_once_is_stored_settled_and_told(made, server, monkeypatch):
    of, commitment, prepared = made(), NotedCommitment(), []
    monkeypatch.setattr(server, "prepare", lambda: prepared.append(len(server.sent)))
    renewed = run(of, commitment)
    assert commitment.made == ["settled"]
    assert of.exchange._events.told == [("refreshed", renewed.identity)]
    assert prepared == [0]  # before anything was sent
    assert server.state(entry_of(of.provider).refresh_token) == "current"


def test_pauses_between_tries_double_and_nothing_is_committed_to_meanwhile(made, server):
    of, commitment = made(), NotedCommitment()
    server.trouble.extend(["unavailable"] * 2)
    run(of, commitment)
    assert commitment.made == ["settled", 1.0, "settled", 2.0, "settled"]
    assert of.drawn == [(0.5, 1.5)] * 2
    assert [(told[0], told[2]) for told in of.exchange._events.told[:2]] == [("retries", 1.0), ("retries", 2.0)]


def test_server_is_not_asked_again_sooner_than_it_wants(made, server, monkeypatch):
    of, commitment = made(), NotedCommitment()
    renew = server.renew

    def busy(*_, **__):
        monkeypatch.setattr(server, "renew", renew)
        raise TokenEndpointError("busy", status=429, retry_after=7.0)

    monkeypatch.setattr(server, "renew", busy)
    run(of, commitment)
    assert commitment.made == ["settled", 8.0, "settled"]


def test_interruption_settles_what_was_committed_to(made, server, monkeypatch):
    of, commitment = made(), NotedCommitment()

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(server, "renew", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(of, commitment)
    assert commitment.made == ["settled"]


@pytest.mark.parametrize(
    ("kind", "rotates", "sent"),
    [(MemoryStore, None, 2), (Elsewhere, None, 1), (Elsewhere, True, 1), (Elsewhere, False, 2)],
)
def test_token_that_may_be_consumed_is_sent_again_only_where_no_other_host_could(
    made, server, kind, rotates, sent, monkeypatch
):
    of, commitment = made(kind), NotedCommitment()
    change_entry(of.session, rotates=rotates)
    server.rotation = "reusable"
    server.trouble.append("lost")
    renew = server.renew

    def renew_committed(token, *, deadline):
        of.guard.commit()
        return renew(token, deadline=deadline)

    send = of.exchange._send

    def send_noting(guard, *rest):
        of.guard = guard
        return send(guard, *rest)

    monkeypatch.setattr(server, "renew", renew_committed)
    monkeypatch.setattr(of.exchange, "_send", send_noting)
    if sent == 1:
        with pytest.raises(TokenEndpointError, match="was lost"):
            run(of, commitment)
    else:
        run(of, commitment)
    assert len(server.sent) == sent


@pytest.mark.parametrize("sent", [True, False], ids=["after it was sent", "before"])
def test_intent_is_taken_back_where_nothing_was_sent(made, sent, monkeypatch):
    of = made(Elsewhere)

    def send(guard, *_):
        if sent:
            guard.commit()
        raise KeyboardInterrupt

    monkeypatch.setattr(of.exchange, "_send", send)
    with pytest.raises(KeyboardInterrupt):
        run(of)
    assert (entry_of(of.provider).spending is not None) is sent


def test_lock_is_ours_where_none_but_the_kernel_can_take_it(made, monkeypatch):
    here, there = made(), made(Elsewhere)
    for of in (here, there):
        monkeypatch.setattr(of.exchange._cache, "still_locked", lambda _: False)
    entry = entry_of(here.provider)
    assert here.exchange._still_ours(entry)
    assert not there.exchange._still_ours(entry)


@pytest.mark.parametrize(("ago", "ours"), [(None, True), (0.0, True), (46.0, False)])
def test_lock_that_others_may_take_is_ours_while_the_intent_may_be_acted_on(made, ago, ours, monkeypatch):
    of = made(Elsewhere)
    entry = entry_of(of.provider)
    if ago is not None:
        intent = Intent.to_spend(entry.refresh_token, resent=False)
        entry = entry._replace(spending=tuple(intent._replace(since=intent.since - ago)))
    monkeypatch.setattr(of.exchange._cache, "still_locked", lambda _: True)
    assert of.exchange._still_ours(entry) is ours
    monkeypatch.setattr(of.exchange._cache, "still_locked", lambda _: False)
    assert not of.exchange._still_ours(entry)


def test_held_answer_that_no_longer_serves_is_exchanged_in_turn(made, server):
    of = made()
    entry = entry_of(of.provider)
    newer = server._new_refresh_token(1)
    unsaved.keep(key_of(of), entry.refresh_token, entry._replace(refresh_token=newer, expires_at=1.0))
    run(of)
    assert server.sent == [newer]


def test_unusable_answer_is_settled_and_not_worth_another_try(made, server):
    of, commitment = made(), NotedCommitment()
    server.trouble.append("unusable")
    with pytest.raises(TokenEndpointError, match="nonsense") as caught:
        run(of, commitment)
    assert caught.value.retryable is False
    assert commitment.made == ["settled"]


def refused_while(server, monkeypatch, meanwhile):
    def refuse(token, **_):
        server.sent.append(token)
        meanwhile()
        raise InvalidGrant("Refresh token is invalid")

    monkeypatch.setattr(server, "renew", refuse)


def test_token_of_another_process_is_told_as_adopted(made, server, monkeypatch):
    of = made()
    refused_while(server, monkeypatch, lambda: change_entry(of.session, access_token="newer", refresh_token="newest"))
    adopted = run(of)
    assert adopted.access_token == "newer"
    assert of.exchange._events.told == [("adopted", adopted.identity)]


def test_end_of_a_session_that_cannot_be_stored_is_kept_and_told(made, server, monkeypatch):
    of = made()
    full = CacheWriteFailed("no space", hint="make room")

    def put(*_, **__):
        raise full

    refused_while(server, monkeypatch, lambda: monkeypatch.setattr(of.session.cache, "put", put))
    token = entry_of(of.provider).refresh_token
    with pytest.raises(LoginRequired):
        run(of)
    held = unsaved.get(key_of(of))
    assert (held.spent, held.entry.refresh_token) == (token, "")
    assert ("unwritten", full) in of.exchange._events.told
    unsaved.drop(key_of(of))


def test_end_of_a_session_whose_store_is_away_is_kept(made, server, monkeypatch):
    of = made()

    def read(_):
        raise StoreUnavailable("away", hint="start it")

    token = entry_of(of.provider).refresh_token
    refused_while(server, monkeypatch, lambda: monkeypatch.setattr(of.exchange._cache, "read", read))
    with pytest.raises(StoreUnavailable):
        run(of)
    held = unsaved.get(key_of(of))
    assert (held.spent, held.entry.refresh_token) == (token, "")
    unsaved.drop(key_of(of))
