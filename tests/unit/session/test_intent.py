"""Intents where the server has said no: no process waits for, or doubts, what it did not process."""

import time

import pytest

from lakekey import ConfigurationError, TokenEndpointError
from lakekey.cache.entry import Entry
from lakekey.oauth import deadlines
from lakekey.session.intent import Guarded, Intent, LeaseLost, digest_of, unsettled
from support.inside import session_of
from support.memory_stores import Elsewhere
from support.model import Clock, ModelServer
from support.model_providers import cache_over, provider_over
from support.noted_commitment import NotedCommitment

pytestmark = pytest.mark.usefixtures("unattended")


class Refusing(ModelServer):
    """A server that is not available once; the next attempt fails in a way of the test's, before anything is sent."""

    next_trouble: Exception | None = None

    def renew(self, refresh_token, *, deadline):
        trouble = self.next_trouble
        if self.sent and trouble is not None:
            self.next_trouble = None
            raise trouble
        deadlines._context.get().commitment.commit()
        return super().renew(refresh_token, deadline=deadline)


@pytest.fixture
def server():
    return Refusing(Clock())


@pytest.fixture
def provider(server):
    cache = cache_over(Elsewhere())
    provider_over(cache, server, person=True).login()
    provider = provider_over(cache, server)
    provider.headers()
    server.trouble.append("unavailable")
    return provider


def test_no_connection_after_a_no_leaves_no_doubt(server, provider):
    server.next_trouble = TokenEndpointError("there is no connection", retryable=False)
    with pytest.raises(TokenEndpointError):
        provider.invalidate(provider.token().access_token)
    assert len(server.sent) == 1
    assert Intent.in_entry(session_of(provider).peek()) is None


def test_lease_lost_after_a_no_takes_the_intent_back_and_goes_on(server, provider):
    server.next_trouble = LeaseLost()
    provider.invalidate(provider.token().access_token)
    assert len(server.sent) == 2
    assert Intent.in_entry(session_of(provider).peek()) is None


def intent(ago, token="r", **more):
    return Intent("nonce", "host a, process 7", time.time() - ago, digest_of(token), **more)


@pytest.mark.parametrize(
    ("ago", "waited_for", "acted_on", "of_the_future"),
    [
        (0, True, True, False),
        (44, True, True, False),
        (46, True, False, False),
        (49, True, False, False),
        (51, False, False, False),
        (-44, True, True, False),
        (-49, True, False, False),
        (-51, True, False, True),
    ],
)
def test_intent_is_waited_for_for_50_seconds_and_acted_on_for_45(ago, waited_for, acted_on, of_the_future):
    found = intent(ago)
    assert found.is_waited_for is waited_for
    assert found.may_be_acted_on is acted_on
    assert found.is_of_the_future is of_the_future


def test_intent_counts_for_the_token_that_it_names_only():
    assert Intent.in_entry(Entry({}, refresh_token="r", spending=tuple(intent(0)))).digest == digest_of("r")
    assert Intent.in_entry(Entry({}, refresh_token="s", spending=tuple(intent(0)))) is None
    assert Intent.in_entry(Entry({}, refresh_token="r")) is None


def test_intent_of_a_release_that_knows_no_resending_was_not_resent():
    found = Intent.in_entry(Entry({}, refresh_token="r", spending=tuple(intent(0))[:4]))
    assert found.resent is False


def test_two_intents_of_one_process_are_distinguished():
    first, second = Intent.to_spend("r", resent=False), Intent.to_spend("r", resent=True)
    assert first.nonce != second.nonce
    assert (first.digest, first.resent, second.resent) == (digest_of("r"), False, True)


@pytest.mark.parametrize(
    ("value", "meant"), [(None, "resend"), ("", "resend"), (" Refuse ", "refuse"), ("RESEND", "resend")]
)
def test_variable_says_what_becomes_of_a_token_in_doubt(value, meant):
    assert unsettled({} if value is None else {"LAKEKEY_UNSETTLED": value}) == meant


def test_variable_of_another_value_is_an_error():
    with pytest.raises(ConfigurationError, match="LAKEKEY_UNSETTLED='maybe' is invalid"):
        unsettled({"LAKEKEY_UNSETTLED": "maybe"})


def test_commitment_is_passed_on_while_the_lease_is_held():
    calls = NotedCommitment()
    guard = Guarded(calls, lambda: True)
    assert not guard.sent
    guard.commit()
    assert guard.sent
    guard.pause(0.5)
    guard.settled()
    assert calls.made == ["commit", 0.5, "settled"]


def test_nothing_is_committed_to_once_the_lease_is_lost():
    calls = NotedCommitment()
    guard = Guarded(calls, lambda: False)
    with pytest.raises(LeaseLost):
        guard.commit()
    assert calls.made == []
    assert not guard.sent


@pytest.mark.parametrize("sent", [True, False])
@pytest.mark.parametrize("doubt", [True, False])
def test_doubt_needs_that_something_was_sent_and_stays(sent, doubt):
    guard = Guarded(NotedCommitment(), lambda: True)
    if sent:
        guard.commit()
    guard.answered(doubt=doubt)
    assert guard.in_doubt is (sent and doubt)
    assert not guard.sent
    guard.commit()
    guard.answered(doubt=False)
    assert guard.in_doubt is (sent and doubt)
