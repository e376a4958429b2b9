"""The end of a sign-in: what becomes of its tokens in a store that says no."""

import itertools
import time

import pytest

from lakekey.cache.stores.memory import MemoryStore
from lakekey.errors import CacheWriteFailed
from lakekey.oauth.token_response import TokenResponse
from lakekey.web import outcomes
from lakekey.web.flows import Flow
from lakekey.web.one_connection import OneConnection
from lakekey.web.outcomes import Outcome
from lakekey.web.people import User
from lakekey.web.redemption import Redemption
from support.model_providers import AT_ONCE, TARGET, cache_over

ADA = "ada@example.com"
FLOW = Flow(
    "state", "browser", ADA, "", "prod", TARGET.host, "app", "app", "uri", "verifier", None, "iss", False, "", 0.0
)


class Denying(MemoryStore):
    """A store that says no to some writes, and shows what was there before."""

    def __init__(self, noes):
        super().__init__()
        self._noes = noes
        self._asked = itertools.count(1)

    def put(self, entry_id, envelope, **how):
        asked = next(self._asked)
        assert asked <= 100, "it is asked without end"
        return asked > self._noes and super().put(entry_id, envelope, **how)


def accept(store):
    """Stores a connection that its user was asked about; returns it."""
    cache = cache_over(store)
    timing = AT_ONCE._replace(store_patience=-1.0)
    redemption = Redemption(TARGET, {}, FLOW, User(ADA), OneConnection(cache), cache=cache, timing=timing)
    response = TokenResponse("access-of-ada", 3600.0, "refresh-of-ada", ("all-apis",), None)
    signed = {"name": ADA, "names": [ADA], "issuer": "iss", "subject": "ada"}
    redemption.settle({"response": response._asdict(), "signed": signed, "sent_at": time.time()}, accept=True)
    return redemption


def test_store_that_takes_no_connection_is_not_asked_for_ever():
    with pytest.raises(CacheWriteFailed, match="memory: took none of the writes") as caught:
        accept(Denying(1000))
    assert "lakekey doctor" in caught.value.hint


def test_connection_is_offered_again_to_a_store_whose_lock_did_not_hold():
    assert accept(Denying(2)).stored() == Outcome(outcomes.CONNECTED, who=ADA)
