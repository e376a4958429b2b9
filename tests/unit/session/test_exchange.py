"""One exchange that the server refuses: whose session is over, and where a newer token is used instead."""

import logging

import pytest

from lakekey.cache.stores.memory import MemoryStore
from lakekey.errors import CredentialsRefused, LoginRequired, TokenEndpointError
from lakekey.oauth.token_response import InvalidGrant
from lakekey.session import unsaved
from support.inside import change_entry, entry_of, session_of
from support.memory_stores import Elsewhere
from support.model import Clock, ModelServer
from support.model_providers import AT_ONCE, cache_over, provider_over

pytestmark = pytest.mark.usefixtures("unattended")


class Refusing(ModelServer):
    """A server that refuses the next refresh token, while something happens to the entry."""

    meanwhile = None

    def renew(self, refresh_token, *, deadline):
        if self.meanwhile is None:
            return super().renew(refresh_token, deadline=deadline)
        meanwhile, self.meanwhile = self.meanwhile, None
        self.sent.append(refresh_token)
        meanwhile()
        raise InvalidGrant("Refresh token is invalid")


class Commitment:
    """A commitment that notes what it is told."""

    def __init__(self):
        self.made = []

    def __getattr__(self, name):
        return lambda *_: self.made.append(name)


@pytest.fixture
def server():
    return Refusing(Clock())


@pytest.fixture(params=[MemoryStore, Elsewhere], ids=["one machine", "several machines"])
def provider(request, server):
    cache = cache_over(request.param())
    provider_over(cache, server, person=True).login()
    return provider_over(cache, server)


def renew(provider):
    provider.invalidate(provider.token().access_token)


def test_refused_refresh_token_ends_the_session_for_all(provider, server, caplog):
    caplog.set_level(logging.INFO, "lakekey")
    server.meanwhile = lambda: None
    with pytest.raises(LoginRequired, match="the session is over"):
        renew(provider)
    assert entry_of(provider).refresh_token == ""
    assert "Refresh token is invalid" in entry_of(provider).refused.message
    assert "detail=invalid_grant" in caplog.text
    assert len(server.sent) == 1


def test_newer_token_of_another_process_is_taken(provider, server):
    server.meanwhile = lambda: change_entry(session_of(provider), access_token="newer", refresh_token="newer-refresh")
    renew(provider)
    assert provider.token().access_token == "newer"
    assert len(server.sent) == 1


def test_newer_refresh_token_of_another_process_is_exchanged(provider, server):
    newer = server._new_refresh_token(1)
    server.meanwhile = lambda: change_entry(session_of(provider), refresh_token=newer, spending=None)
    renew(provider)
    assert server.sent[1:] == [newer]
    assert server.state(entry_of(provider).refresh_token) == "current"


def test_session_that_another_process_has_ended_is_over(provider, server):
    server.meanwhile = lambda: change_entry(session_of(provider), refresh_token="", spending=None)
    with pytest.raises(LoginRequired):
        renew(provider)
    assert len(server.sent) == 1


def test_session_that_was_signed_out_of_meanwhile_is_over_and_stays_away(provider, server):
    session = session_of(provider)
    server.meanwhile = lambda: session.cache.store.delete(
        session.entry_id, replaces=session.cache.store.get(session.entry_id)
    )
    with pytest.raises(LoginRequired):
        renew(provider)
    assert entry_of(provider) is None


def test_grant_that_needs_no_person_has_no_session_that_could_be_over(provider, server):
    server.needs_person = False
    job = provider_over(session_of(provider).cache, server)
    server.meanwhile = lambda: None
    before = entry_of(provider).refresh_token
    with pytest.raises(CredentialsRefused, match="the server refuses the grant"):
        renew(job)
    assert entry_of(provider).refresh_token == before
    assert entry_of(provider).failure.detail == "invalid_grant"


def test_refusal_releases_what_it_has_committed_before_anything_else(provider, server):
    session = session_of(provider)
    stored = session.cache.read(session.entry_id)
    commitment = Commitment()
    server.meanwhile = lambda: None
    with pytest.raises(LoginRequired):
        session.renewal._exchange.run(commitment, stored.entry, stored)
    assert commitment.made[-1] == "settled"


def test_answer_without_a_usable_access_token_leaves_its_refresh_token(provider, server, caplog):
    caplog.set_level(logging.INFO, "lakekey")
    before = entry_of(provider)
    server.trouble.append("unusable")
    with pytest.raises(TokenEndpointError, match="the model answers nonsense"):
        renew(provider)
    after = entry_of(provider)
    assert server.state(after.refresh_token) == "current"
    assert (after.access_token, after.expires_at) == (before.access_token, before.expires_at)
    assert after.failure.code == "token_endpoint"
    assert "not renewed" in caplog.text


@pytest.mark.parametrize("often", [1, 2, 3])
def test_trouble_that_passes_is_tried_again(provider, server, often):
    server.trouble.extend(["unavailable"] * often)
    renew(provider)
    assert len(server.sent) == often + 1


def test_trouble_that_stays_is_tried_four_times_and_noted_for_those_that_wait(provider, server):
    server.trouble.extend(["unavailable"] * 9)
    before = entry_of(provider).refresh_token
    with pytest.raises(TokenEndpointError):
        renew(provider)
    assert len(server.sent) == 4
    after = entry_of(provider)
    assert (after.refresh_token, after.failure.code) == (before, "token_endpoint")


def denying(provider, *, meanwhile=lambda: None):
    """Have the session's store say no to each write, and something happen at the first one."""
    store, noes = session_of(provider).cache.store, []
    put = store.put

    def deny(*_, **__):
        assert len(noes) < 100, "it is asked without end"
        noes.append(1)
        if len(noes) == 1:
            store.put = put
            meanwhile()
            store.put = deny
        return False

    store.put = deny


def test_end_of_a_session_that_the_store_never_takes_is_kept_and_told(provider, server, caplog):
    caplog.set_level(logging.WARNING, "lakekey")
    token = entry_of(provider).refresh_token
    provider = provider_over(session_of(provider).cache, server, timing=AT_ONCE._replace(store_patience=-1.0))
    server.meanwhile = lambda: denying(provider)
    with pytest.raises(LoginRequired, match="the session is over"):
        renew(provider)
    assert "took no note of a session that is over" in caplog.text
    session = session_of(provider)
    stored = session.cache.read(session.entry_id)
    assert stored.entry.refresh_token == token
    assert session.renewal._exchange.run(Commitment(), stored.entry, stored).refused is not None
    assert server.sent == [token]  # it is not sent again from here
    unsaved.drop(session.queue.key)


def test_newer_session_that_comes_while_an_end_is_stored_is_not_called_over(provider, server):
    def sign_in():
        change_entry(session_of(provider), access_token="newer", refresh_token="newer-refresh", spending=None)

    server.meanwhile = lambda: denying(provider, meanwhile=sign_in)
    renew(provider)
    assert provider.token().access_token == "newer"
    assert len(server.sent) == 1
