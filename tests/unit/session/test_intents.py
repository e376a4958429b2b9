"""Intents where the server has said no: no process waits for, or doubts, what it did not process."""

import pytest

from lakekey import TokenEndpointError
from lakekey.cache.stores.memory import MemoryStore
from lakekey.oauth import deadlines
from lakekey.session.intent import Intent, LeaseLost
from support.inside import session_of
from support.model import Clock, ModelServer
from support.model_providers import cache_over, provider_over

pytestmark = pytest.mark.usefixtures("unattended")


class Elsewhere(MemoryStore):
    """A store whose lock may be lost while its holder lives."""

    spans_machines = True


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
