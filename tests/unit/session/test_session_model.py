"""Random histories of a session, several providers over one cache, against a model of the server."""

import contextlib
import tempfile

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lakekey import LoginRequired, TokenEndpointError
from lakekey.cache.stores.file import FileStore
from lakekey.cache.stores.memory import MemoryStore
from lakekey.session.expiry import is_on_trial
from support.inside import session_of, source_of
from support.model import Clock, ModelServer
from support.model_providers import cache_over, provider_over

pytestmark = pytest.mark.usefixtures("unattended")

PROVIDERS = st.integers(0, 2)


class Session(RuleBasedStateMachine):
    """What a machine's processes, its people, its server and time may do to one session, in any order."""

    def __init__(self):
        super().__init__()
        self.resources = contextlib.ExitStack()
        self.clock = Clock()
        self.resources.enter_context(self.clock.installed())
        self.server = ModelServer(self.clock)
        self.cache = cache_over(self.store())
        self.providers = [self.new_process() for _ in range(3)]
        self.entry_id = session_of(self.providers[0]).entry_id
        self.generation = 0
        self.lost = 0  # answers that the server gave and no process received: after one, a session may be beyond saving
        self.revoked = False  # the server has ended the session
        self.rejected = set()  # access tokens that the workspace has refused

    def store(self):
        """Each of the machines below has its own."""
        raise AssertionError

    def teardown(self):
        self.resources.close()

    def new_process(self):
        return provider_over(self.cache, self.server)

    def stored(self):
        return self.cache.get(self.entry_id)

    def has_session(self):
        entry = self.stored()
        return entry is not None and bool(entry.refresh_token) and not self.revoked and not self.lost

    def asks(self, work):
        """A provider is asked for a token; what may come of it."""
        trouble = [kind for kind in self.server.trouble if kind != "fine"]
        could = self.has_session()
        before = len(self.server.sent)
        try:
            token = work()
        except LoginRequired:
            assert not could or "lost" in trouble, "a session that can be renewed was given up"
            return None
        except TokenEndpointError:
            assert trouble, "nothing was wrong with the server"
            return None
        finally:
            # A spent token is sent only where the answer to it was lost on the way.
            self.lost += trouble.count("lost") - list(self.server.trouble).count("lost")
            assert self.server.spent_sent <= self.lost
            assert len(self.server.sent) - before <= 4, "it was not left at the attempts that one call has"
        assert self.server.lives(token), "an expired token was handed out"
        return token

    # What people do

    @initialize()
    def begins(self):
        self.signs_in()

    @rule()
    def signs_in(self):
        self.server.trouble.clear()
        token = provider_over(self.cache, self.server, person=True).login()
        assert self.server.lives(token.access_token)
        self.revoked, self.lost, self.server.spent_sent = False, 0, 0

    @rule(who=PROVIDERS)
    def signs_out(self, who):
        had = self.stored() is not None
        assert self.providers[who].logout() is had
        assert self.stored() is None
        self.generation = 0

    # What programs do

    @rule(who=PROVIDERS)
    def asks_for_a_header(self, who):
        self.asks(lambda: self.providers[who].headers()["Authorization"].removeprefix("Bearer "))

    @rule(who=PROVIDERS)
    def asks_for_a_token(self, who):
        self.asks(lambda: self.providers[who].token().access_token)

    @rule(who=PROVIDERS)
    def starts_anew(self, who):
        self.providers[who] = self.new_process()

    @rule(who=PROVIDERS)
    def is_refused_by_the_workspace(self, who):
        provider = self.providers[who]
        if source_of(provider)._snapshot is None:
            return
        refused = source_of(provider)._snapshot.entry.access_token
        stored = self.stored()
        if stored is not None and stored.access_token == refused and is_on_trial(stored, self.clock.time()):
            before = len(self.server.sent)
            assert not provider.invalidate(refused), "a new token that is refused too was replaced at once"
            assert len(self.server.sent) == before
            return
        self.rejected.add(refused)

        def invalidate():
            provider.invalidate(refused)
            return provider.token().access_token

        token = self.asks(invalidate)
        assert token != refused

    @rule(who=PROVIDERS)
    def hears_of_an_old_refusal(self, who):
        """Each of the tokens that are long replaced: nothing is sent for them."""
        provider = self.providers[who]
        held = source_of(provider)._snapshot
        if held is None:
            return
        before = len(self.server.sent)
        for token in self.rejected - {held.entry.access_token}:
            provider.invalidate(token)
        assert source_of(provider)._snapshot is held
        assert len(self.server.sent) == before

    # What the server does

    @rule(rotation=st.sampled_from(["single-use", "reusable", "omitted"]))
    def changes_its_rotation(self, rotation):
        self.server.rotation = rotation

    @rule(times=st.integers(1, 5))
    def is_unavailable(self, times):
        self.server.trouble.extend(["unavailable"] * times)

    @rule()
    def answers_with_an_unusable_token(self):
        self.server.trouble.append("unusable")

    @precondition(lambda self: not self.lost)
    @rule()
    def gives_an_answer_that_is_lost(self):
        self.server.trouble.append("lost")

    @rule()
    def ends_the_session(self):
        self.server.revoke_all()
        self.revoked = True

    # What time does

    @rule(seconds=st.sampled_from([1.0, 600.0, 1900.0, 3590.0, 7200.0]))
    def passes(self, seconds):
        self.clock.true += seconds

    @rule(seconds=st.sampled_from([600.0, 3600.0, 86400.0]))
    def sleeps(self, seconds):
        self.clock.suspend(seconds)

    # What always holds

    @invariant()
    def the_stored_refresh_token_is_the_servers_current_one(self):
        entry = self.stored()
        if entry is None or self.revoked or self.lost:
            return
        assert entry.refused is None, "it was marked as refused, and is not"
        assert self.server.state(entry.refresh_token) == "current"

    @invariant()
    def a_refused_session_keeps_no_refresh_token(self):
        entry = self.stored()
        if entry is not None:
            assert (entry.refused is None) == bool(entry.refresh_token)

    @invariant()
    def generations_only_grow(self):
        entry = self.stored()
        generation = entry.generation if entry is not None else 0
        assert generation >= self.generation
        self.generation = generation

    @invariant()
    def a_dead_session_is_asked_for_once(self):
        """The process that comes after the refusal learns it from the entry."""
        entry = self.stored()
        if entry is not None and entry.refused is not None:
            before = len(self.server.sent)
            with contextlib.suppress(LoginRequired):
                self.new_process().headers()
            assert len(self.server.sent) == before


class InMemory(Session):
    def store(self):
        return MemoryStore()


class InFiles(Session):
    def store(self):
        store = FileStore(self.resources.enter_context(tempfile.TemporaryDirectory()))
        store.prepare()
        return store


TestInMemory = pytest.mark.every_input(InMemory.TestCase)
TestInMemory.settings = settings(max_examples=60, stateful_step_count=40)
TestInFiles = InFiles.TestCase
TestInFiles.settings = settings(max_examples=15, stateful_step_count=30)
