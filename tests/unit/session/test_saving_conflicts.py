"""Storing an answer over what others have stored meanwhile."""

from types import SimpleNamespace

import pytest

from lakekey.cache.entry import Failure
from lakekey.cache.stores.memory import MemoryStore
from lakekey.errors import CacheWriteFailed, LoginRequired, StoreUnavailable, TokenEndpointError
from lakekey.session import saving as saving_module
from lakekey.session import unsaved
from support.inside import change_entry, entry_of, session_of
from support.memory_stores import Elsewhere
from support.model import Clock, ModelServer
from support.model_providers import AT_ONCE, cache_over, provider_over

pytestmark = pytest.mark.usefixtures("unattended")
REFUSED = Failure("login_required", "the server refused it", 1.0)


@pytest.fixture
def made():
    """A session in a store of some kind, as it was read."""

    def made(kind=MemoryStore):
        cache, server = cache_over(kind()), ModelServer(Clock())
        provider_over(cache, server, person=True).login()
        provider = provider_over(cache, server, timing=AT_ONCE._replace(first_pause=0.5))
        session = session_of(provider)
        stored = cache.read(session.entry_id)
        answer = stored.entry._replace(access_token="answer", refresh_token="answer-refresh", generation=2)
        return SimpleNamespace(
            provider=provider,
            session=session,
            saving=session.renewal._saving,
            stored=stored,
            spent=stored.entry.refresh_token,
            answer=answer,
        )

    return made


@pytest.mark.parametrize(
    ("kind", "spends", "stands"),
    [(MemoryStore, True, "answer"), (Elsewhere, False, "answer"), (Elsewhere, True, "another")],
    ids=["one machine", "a sign-in", "several machines"],
)
def test_answer_stands_unless_another_host_may_have_a_newer_one(made, kind, spends, stands):
    of = made(kind)
    change_entry(of.session, access_token="another", refresh_token="another-refresh", generation=9)
    saved = of.saving.save(of.answer, of.stored, spent=of.spent if spends else "")
    assert saved.access_token == entry_of(of.provider).access_token == stands
    if stands == "answer":
        assert saved.generation == 10


def test_answer_stands_where_the_very_token_is_still_stored(made):
    of = made(Elsewhere)
    change_entry(of.session, access_token="another", generation=9)
    assert of.saving.save(of.answer, of.stored, spent=of.spent).access_token == "answer"
    assert entry_of(of.provider).access_token == "answer"


@pytest.mark.parametrize(("since", "asked"), [(None, 7), (3, 3)])
def test_store_is_taken_for_emptied_by_what_it_was_before_the_exchange(made, since, asked, monkeypatch):
    of, asked_for = made(Elsewhere), []
    monkeypatch.setattr(saving_module, "begun_again", lambda _: 7)
    monkeypatch.setattr(saving_module, "was_emptied", lambda _, before: asked_for.append(before))
    store = of.session.cache.store
    assert store.delete(of.session.entry_id, replaces=of.stored.envelope)
    with pytest.raises(LoginRequired):
        of.saving.save(of.answer, of.stored, spent=of.spent, since=since)
    assert asked_for == [asked]


def test_store_that_is_away_is_asked_again_after_a_pause(made, monkeypatch):
    of, pauses, trouble = made(), [], [StoreUnavailable("away", hint="start it")] * 2
    monkeypatch.setattr(saving_module, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=pauses.append))
    put = of.session.cache.put

    def put_later(*given, **how):
        if trouble:
            raise trouble.pop()
        return put(*given, **how)

    monkeypatch.setattr(of.session.cache, "put", put_later)
    of.saving.save(of.answer, of.stored, spent=of.spent)
    assert pauses == [0.5, 0.5]
    assert entry_of(of.provider).access_token == "answer"


@pytest.mark.parametrize("is_end", [True, False])
def test_held_end_counts_although_it_cannot_be_stored_and_a_held_answer_does_not(made, is_end, monkeypatch):
    of = made()
    held = of.answer._replace(refresh_token="", refused=REFUSED) if is_end else of.answer

    def put(*_, **__):
        raise CacheWriteFailed("no space", hint="make room")

    monkeypatch.setattr(of.session.cache, "put", put)
    unsaved.keep(of.session.queue.key, of.spent, held)
    if is_end:
        assert of.saving.save_held(of.stored.entry, of.stored) == held
    else:
        with pytest.raises(CacheWriteFailed):
            of.saving.save_held(of.stored.entry, of.stored)
    unsaved.drop(of.session.queue.key)


def test_failure_is_the_next_generation(made):
    of = made()
    of.saving.note_failure(of.stored.entry, of.stored, TokenEndpointError("busy"))
    noted = entry_of(of.provider)
    assert (noted.failure.message, noted.generation) == ("busy", of.stored.entry.generation + 1)
