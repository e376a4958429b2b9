"""Storing an answer: a store that is away is waited for, and what cannot be stored is kept and told."""

import itertools
import logging

import pytest

from lakekey.cache.entry import Failure
from lakekey.cache.stores.memory import MemoryStore
from lakekey.errors import CacheError, CacheWriteFailed, LoginRequired, StoreUnavailable, TokenEndpointError
from lakekey.session import unsaved
from support.inside import entry_of, session_of
from support.model_providers import AT_ONCE, cache_over, provider_over

pytestmark = pytest.mark.usefixtures("unattended")
HASTY = AT_ONCE._replace(store_patience=-1.0)  # a store that is away is not waited for


class Shaky(MemoryStore):
    """A store whose lock may be lost, and that fails the next writes that it is told of."""

    spans_machines = True

    def __init__(self):
        super().__init__()
        self.trouble = []

    def put(self, entry_id, envelope, **how):
        if self.trouble:
            raise self.trouble.pop()
        return super().put(entry_id, envelope, **how)


@pytest.fixture
def store():
    return Shaky()


@pytest.fixture
def provider(store, server):
    cache = cache_over(store)
    provider_over(cache, server, person=True).login()
    return provider_over(cache, server)


@pytest.fixture
def hasty(provider, server):
    """Another provider of the same session, which waits for no store."""
    return provider_over(session_of(provider).cache, server, timing=HASTY)


def deny(store, *, times=100):
    """Have a store say no to each write, and show what was there before; so many times at most."""
    noes = itertools.count(1)

    def put(*_, **__):
        assert next(noes) <= times, "it is asked without end"
        return False

    store.put = put
    return noes


def deny_once(store):
    def put(*_, **__):
        del store.put
        return False

    store.put = put


def full():
    return CacheWriteFailed("no space", hint="make room")


def away():
    return StoreUnavailable("the store is away", hint="start it")


def key_of(provider):
    return session_of(provider).queue.key


def renew(provider):
    provider.invalidate(provider.token().access_token)


def test_store_that_is_away_for_a_moment_is_waited_for(provider, store, server):
    server.on_request = lambda: store.trouble.extend([away(), away()])
    renew(provider)
    assert server.state(entry_of(provider).refresh_token) == "current"
    assert unsaved.get(key_of(provider)) is None


@pytest.mark.parametrize("error", [full(), CacheError("too many open files")])
def test_what_the_operating_system_refuses_for_a_moment_is_tried_again(provider, store, server, error):
    patient = provider_over(session_of(provider).cache, server, timing=AT_ONCE._replace(write_patience=60.0))
    server.on_request = lambda: store.trouble.extend([error] * 50)
    renew(patient)
    assert server.state(entry_of(provider).refresh_token) == "current"
    assert unsaved.get(key_of(provider)) is None


def test_disk_that_stays_full_is_waited_for_once(hasty, store, server):
    server.on_request = lambda: store.trouble.append(full())
    with pytest.raises(CacheWriteFailed):
        renew(hasty)
    patient = provider_over(session_of(hasty).cache, server, timing=AT_ONCE._replace(write_patience=60.0))
    tries = []

    def put(*_, **__):
        tries.append("put")
        raise full()

    store.put = put
    with pytest.raises(CacheWriteFailed):
        renew(patient)
    assert len(tries) <= 2


@pytest.mark.parametrize("error", [away(), full()])
def test_answer_that_cannot_be_stored_is_told_kept_and_stored_by_the_next_call(hasty, store, server, error, caplog):
    server.on_request = lambda: store.trouble.append(error)
    caplog.set_level(logging.INFO, "lakekey")
    with pytest.raises(type(error)):
        renew(hasty)
    assert "not renewed" in caplog.text
    assert unsaved.get(key_of(hasty)).entry.refresh_token not in ("", entry_of(hasty).refresh_token)
    server.on_request = lambda: None
    caplog.clear()
    renew(hasty)
    assert len(server.sent) == 1
    assert server.state(entry_of(hasty).refresh_token) == "current"
    assert unsaved.get(key_of(hasty)) is None
    assert "renewed" in caplog.text


@pytest.mark.parametrize("error", [ValueError("a tracer's"), MemoryError(), KeyboardInterrupt()], ids=repr)
def test_answer_is_kept_whatever_is_raised_while_it_is_stored(hasty, store, server, error):
    server.on_request = lambda: store.trouble.append(error)
    with pytest.raises(type(error)):
        renew(hasty)
    assert unsaved.get(key_of(hasty)).spent == entry_of(hasty).refresh_token
    server.on_request = lambda: None
    renew(hasty)
    assert len(server.sent) == 1
    assert server.state(entry_of(hasty).refresh_token) == "current"


def test_store_that_says_no_and_shows_the_same_entry_is_not_asked_for_ever(hasty, store, server, caplog):
    caplog.set_level(logging.INFO, "lakekey")
    before = entry_of(hasty)
    server.on_request = lambda: deny(store)
    with pytest.raises(CacheWriteFailed, match="took none of the writes of a new token") as caught:
        renew(hasty)
    assert "lakekey doctor" in caught.value.hint
    assert "not renewed" in caplog.text
    del store.put
    answer = unsaved.get(key_of(hasty)).entry
    assert answer.refresh_token not in ("", before.refresh_token)
    server.on_request = lambda: None
    renew(hasty)
    assert len(server.sent) == 1
    assert entry_of(hasty).refresh_token == answer.refresh_token


def test_store_that_says_no_once_is_asked_again_whatever_the_patience(hasty, store, server):
    server.on_request = lambda: deny_once(store)
    renew(hasty)
    assert server.state(entry_of(hasty).refresh_token) == "current"


def test_file_that_comes_again_each_time_in_an_answers_place_is_not_set_aside_for_ever(hasty, store, server):
    lies = itertools.count(1)

    def put(*_, **__):
        assert next(lies) <= 100, "it is asked without end"
        raise CacheError("a file that cannot be read is in its place", hint="remove it")

    def replace():
        store.put, store.get, store.set_aside = put, lambda _: b"rubbish", lambda *_: "entry.bad"

    server.on_request = replace
    with pytest.raises(CacheError, match="a file that cannot be read"):
        renew(hasty)
    assert unsaved.get(key_of(hasty)).entry.refresh_token


def test_answer_for_another_token_than_the_stored_one_is_dropped(provider, server):
    unsaved.keep(key_of(provider), "another-token", entry_of(provider)._replace(access_token="of-another"))
    renew(provider)
    assert unsaved.get(key_of(provider)) is None
    assert entry_of(provider).access_token != "of-another"
    assert len(server.sent) == 1


def test_answer_of_a_session_that_was_signed_out_of_is_given_back_and_dropped(provider, store, server):
    session = session_of(provider)
    given_back = []
    session.renewal._saving._revoke = given_back.append
    unsaved.keep(session.queue.key, entry_of(provider).refresh_token, entry_of(provider)._replace(access_token="late"))

    def sign_out(entry_id, envelope, **how):
        store.delete(entry_id, replaces=store.get(entry_id))
        return False

    store.put = sign_out
    with pytest.raises(LoginRequired):
        renew(provider)
    assert [entry.access_token for entry in given_back] == ["late"]
    assert unsaved.get(session.queue.key) is None
    assert server.sent == []


def test_end_that_another_host_has_renewed_past_meanwhile_is_told_as_none(provider, store, server, caplog):
    caplog.set_level(logging.INFO, "lakekey")
    session, entry = session_of(provider), entry_of(provider)
    refused = Failure("login_required", "the server refused it", entry.issued_at)
    unsaved.keep(key_of(provider), entry.refresh_token, entry._replace(refresh_token="", refused=refused))
    newer = entry._replace(access_token="newer", refresh_token="newer", generation=entry.generation + 1)

    def overtake(entry_id, envelope, **how):
        del store.put
        assert session.cache.put(entry_id, newer, replaces=store.get(entry_id))
        return False

    store.put = overtake
    renew(provider)
    assert entry_of(provider).access_token == "newer"
    assert "refused" not in caplog.text
    assert "renewed" in caplog.text
    assert server.sent == []


def test_failure_is_told_and_left_for_the_siblings(provider, server, caplog):
    caplog.set_level(logging.INFO, "lakekey")
    server.trouble.extend(["unavailable"] * 9)
    with pytest.raises(TokenEndpointError):
        renew(provider)
    assert "not renewed" in caplog.text
    assert entry_of(provider).failure.code == "token_endpoint"


def test_failure_that_cannot_be_left_is_told_no_less(provider, store, server, caplog):
    caplog.set_level(logging.INFO, "lakekey")

    def fail():
        store.trouble.append(CacheWriteFailed("no space", hint="make room"))

    server.trouble.extend(["unavailable"] * 9)
    server.on_request = fail
    with pytest.raises(TokenEndpointError):
        renew(provider)
    assert "not renewed" in caplog.text
    assert "no space" in caplog.text


@pytest.mark.parametrize("before", [True, False], ids=["again", "for the first time"])
def test_answer_of_a_sign_in_that_cannot_be_stored_is_kept_for_the_next_call(store, server, before):
    cache = cache_over(store)
    person = provider_over(cache, server, person=True, timing=HASTY)
    if before:
        person.login()
    signed_in = []

    def sign_in(*arguments, **options):
        signed_in.append(True)
        store.trouble.append(away())
        return server.sign_in(*arguments, **options)

    session_of(person).renewal._sign_in = sign_in
    with pytest.raises(StoreUnavailable):
        person.login()
    person.invalidate(person.token().access_token if before else "none")
    assert len(signed_in) == 1
    assert server.sent == []
    assert server.state(entry_of(person).refresh_token) == "current"
    assert unsaved.get(key_of(person)) is None


def test_sign_out_gives_back_an_answer_that_could_not_be_stored_and_brings_no_session_back(hasty, store, server):
    given_back = []
    session_of(hasty).renewal._revoke = lambda entry: given_back.append(entry.refresh_token) or "revoked"
    server.on_request = lambda: store.trouble.append(away())
    with pytest.raises(StoreUnavailable):
        renew(hasty)
    answer = unsaved.get(key_of(hasty)).entry
    hasty.logout()
    assert given_back == [answer.refresh_token]
    assert unsaved.get(key_of(hasty)) is None
    with pytest.raises(LoginRequired):
        hasty.headers()


def test_answer_that_needs_no_person_is_asked_for_again(store, server, monkeypatch):
    server.needs_person = False
    job = provider_over(cache_over(store), server, timing=HASTY)
    monkeypatch.setattr(server, "renew", lambda refresh_token, *, deadline: server._issue(None))
    store.trouble.append(away())
    with pytest.raises(StoreUnavailable):
        job.login()
    assert unsaved.get(key_of(job)) is None
    job.login()
    assert server.lives(entry_of(job).access_token)
