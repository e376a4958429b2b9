"""The intent to spend a refresh token: what is written before the token is sent, and what becomes of it."""

import time
from types import SimpleNamespace

import pytest

from lakekey.cache.entry import Entry, Stored
from lakekey.cache.stores.memory import MemoryStore
from lakekey.errors import CacheWriteFailed, LoginRequired, TokenEndpointError
from lakekey.session.entry_queue import NotYet
from lakekey.session.intent import Intent, digest_of
from lakekey.session.spending import Spending, leaves_doubt
from support.inside import session_of
from support.model import Clock, ModelServer
from support.model_providers import cache_over, provider_over

pytestmark = pytest.mark.usefixtures("unattended")


class Elsewhere(MemoryStore):
    """A store whose lock may be lost while its holder lives."""

    spans_machines = True
    full = False

    def put(self, entry_id, envelope, **how):
        if self.full:
            raise CacheWriteFailed("no space", hint="make room")
        return super().put(entry_id, envelope, **how)


@pytest.fixture
def credential():
    cache, server = cache_over(Elsewhere()), ModelServer(Clock())
    provider_over(cache, server, person=True).login()
    return session_of(provider_over(cache, server)).credential


@pytest.fixture
def spending(credential):
    return Spending(credential, needed=True)


def stored_of(credential, **fields):
    """The entry as it is stored, after a change."""
    stored = credential.cache.read(credential.entry_id)
    if fields:
        stored = credential.cache.put(credential.entry_id, stored.entry._replace(**fields), replaces=stored.envelope)
    return stored


def intent(credential, ago, *, resent=False):
    token = credential.peek().refresh_token
    return tuple(Intent("a-nonce", "host b, process 7", time.time() - ago, digest_of(token), resent))


def declare(spending, stored):
    return spending.declare(stored.entry, stored)


def test_intent_is_stored_before_anything_is_sent(credential, spending):
    before = stored_of(credential)
    entry, stored = declare(spending, before)
    assert stored == credential.cache.read(credential.entry_id)
    assert entry == stored.entry
    assert entry.generation == before.entry.generation + 1
    found = Intent.in_entry(entry)
    assert (found.digest, found.resent) == (digest_of(before.entry.refresh_token), False)
    assert found.is_waited_for


def test_where_no_intent_is_needed_nothing_is_written(credential):
    spending = Spending(credential, needed=False)
    stored = stored_of(credential, spending=intent(credential, 0))
    assert declare(spending, stored) == (stored.entry, stored)
    assert spending.after_failure(stored.entry, SimpleNamespace(in_doubt=True)) == stored.entry
    spending.withdraw(stored)
    assert credential.cache.read(credential.entry_id) == stored


def test_intent_of_another_holder_is_waited_for(credential, spending):
    stored = stored_of(credential, spending=intent(credential, 10))
    with pytest.raises(NotYet) as waiting:
        declare(spending, stored)
    assert waiting.value.holder == "host b, process 7"
    assert credential.cache.read(credential.entry_id) == stored


def test_intent_without_an_outcome_is_settled_by_one_more_sending(credential, spending):
    entry, _ = declare(spending, stored_of(credential, spending=intent(credential, 60)))
    assert Intent.in_entry(entry).resent is True


def test_token_that_was_sent_twice_without_an_answer_ends_the_session(credential, spending):
    with pytest.raises(LoginRequired, match="was sent twice, and neither answer was stored"):
        declare(spending, stored_of(credential, spending=intent(credential, 60, resent=True)))
    assert credential.peek().refresh_token == ""
    assert "was sent twice" in credential.peek().refused.message


def test_answer_that_comes_while_a_session_is_given_up_is_looked_at(credential, spending):
    before = stored_of(credential, spending=intent(credential, 600.0, resent=True))
    stored_of(credential, refresh_token="its-successor", spending=None)
    with pytest.raises(NotYet):
        declare(spending, before)
    assert credential.peek().refresh_token == "its-successor"


def test_token_in_doubt_is_not_sent_again_where_that_is_forbidden(credential):
    credential.environ = {"LAKEKEY_UNSETTLED": "refuse"}
    with pytest.raises(LoginRequired, match="LAKEKEY_UNSETTLED=refuse forbids"):
        declare(Spending(credential, needed=True), stored_of(credential, spending=intent(credential, 60)))
    assert credential.peek().refresh_token == ""


@pytest.mark.parametrize("ago", [10, 60, -100])
def test_token_that_is_not_replaced_is_in_no_doubt(credential, spending, ago):
    entry, _ = declare(spending, stored_of(credential, rotates=False, spending=intent(credential, ago, resent=True)))
    assert Intent.in_entry(entry).resent is False


def test_intent_of_the_future_is_waited_for_from_now(credential, spending):
    stored = stored_of(credential, spending=intent(credential, -1000))
    with pytest.raises(NotYet) as waiting:
        declare(spending, stored)
    assert waiting.value.holder == "host b, process 7"
    dated = Intent.in_entry(credential.peek())
    assert abs(dated.since - time.time()) < 40
    assert dated.nonce == "a-nonce"


def test_holder_that_was_overtaken_declares_nothing(credential, spending):
    stored = stored_of(credential)
    stored_of(credential, identity="changed")
    with pytest.raises(NotYet) as waiting:
        declare(spending, stored)
    assert waiting.value.holder is None
    assert credential.peek().spending is None


@pytest.mark.parametrize("rotates", [True, None])
def test_intent_for_a_single_use_token_has_to_be_in_the_store(credential, spending, rotates):
    stored = stored_of(credential, rotates=rotates)
    credential.cache.store.full = True
    with pytest.raises(CacheWriteFailed):
        declare(spending, stored)


def test_intent_for_a_reusable_token_may_be_in_memory(credential, spending):
    stored = stored_of(credential, rotates=False)
    credential.cache.store.full = True
    entry, _ = declare(spending, stored)
    assert entry.spending is not None
    credential.cache.store.full = False
    stored_of(credential, identity="written")


@pytest.mark.parametrize("resent", [False, True])
@pytest.mark.parametrize("in_doubt", [False, True])
def test_failure_settles_an_intent_or_leaves_a_doubt(credential, spending, resent, in_doubt):
    entry = stored_of(credential, spending=intent(credential, 1, resent=resent)).entry
    left = Intent.in_entry(spending.after_failure(entry, SimpleNamespace(in_doubt=in_doubt)))
    if not (resent or in_doubt):
        assert left is None
    else:
        assert (left.since, left.resent, left.nonce) == (0.0, False, "a-nonce")


@pytest.mark.parametrize("resent", [False, True])
def test_intent_that_is_withdrawn_leaves_an_earlier_doubt_only(credential, spending, resent):
    spending.withdraw(stored_of(credential, spending=intent(credential, 1, resent=resent)))
    left = Intent.in_entry(credential.peek())
    assert (left is not None) is resent
    assert left is None or left.since == 0.0


def test_failure_without_an_intent_leaves_none(credential, spending):
    entry = stored_of(credential).entry
    assert spending.after_failure(entry, SimpleNamespace(in_doubt=True)).spending is None
    assert spending.after_failure(entry, SimpleNamespace(in_doubt=False)).spending is None


def test_intent_that_cannot_be_withdrawn_is_left_to_be_waited_for(credential, spending):
    stored = stored_of(credential, rotates=True, spending=intent(credential, 1))
    spending.withdraw(Stored(None, stored.envelope))
    credential.cache.store.full = True
    spending.withdraw(stored)
    credential.cache.store.full = False
    stored_of(credential, identity="written")


@pytest.mark.parametrize("healed", [True, False])
def test_token_of_a_store_that_went_back_is_not_sent(credential, monkeypatch, healed):
    monkeypatch.setattr(credential, "has_seen_newer", lambda entry: True)
    monkeypatch.setattr(credential.cache, "heal", lambda entry_id, stored: healed)
    spending = Spending(credential, needed=True)
    with pytest.raises(NotYet if healed else LoginRequired, match=None if healed else "went back in time"):
        declare(spending, stored_of(credential))
    assert credential.peek().spending is None
    assert declare(spending, stored_of(credential, rotates=False))[0].spending is not None


@pytest.mark.parametrize(
    ("status", "doubt"),
    [(None, True), (200, True), (302, True), (399, True), (400, False), (429, False), (499, False), (500, True),
     (501, False), (502, True), (503, False), (504, True), (505, False)],
)  # fmt: skip
def test_answer_that_says_no_leaves_no_doubt(status, doubt):
    assert leaves_doubt(TokenEndpointError("x", status=status)) is doubt


def test_entry_without_a_token_has_no_intent():
    assert Intent.in_entry(Entry({})) is None
