"""Clocks that step, machines that sleep: no expired token is served, and no refresh is repeated for ever."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakekey import TokenEndpointError
from lakekey.session.expiry import CLOCK_TOLERANCE, is_live, margin, stale_at
from support.inside import session_of, source_of
from support.model import DAY, Clock, ModelServer
from support.model_providers import cache_over, provider_over

CALLS = 50


class World:
    """A machine with a clock, a session, and a provider that has had its first header."""

    def __init__(self, lifetime=3600.0):
        self.clock = Clock()
        self.server = ModelServer(self.clock, lifetime)
        self.cache = cache_over()
        self.installed = self.clock.installed()

    def __enter__(self):
        self.installed.__enter__()
        provider_over(self.cache, self.server, person=True).login()
        self.provider = self.new_process()
        self.header(self.provider)
        return self

    def __exit__(self, *exception):
        self.installed.__exit__(*exception)

    def new_process(self):
        return provider_over(self.cache, self.server)

    def header(self, provider):
        """A header; never of a token that has expired."""
        token = provider.headers()["Authorization"].removeprefix("Bearer ")
        assert self.server.lives(token), "an expired token was handed out"
        return token

    def settles(self, provider):
        """Asks many times: after the first few calls no more requests are made."""
        for _ in range(3):
            self.header(provider)
        before = len(self.server.sent)
        for _ in range(CALLS):
            self.header(provider)
        assert len(self.server.sent) == before, "it refreshes in a loop"
        return before


@pytest.fixture
def world():
    with World() as world:
        yield world


def test_a_wall_clock_that_was_set_back_a_little_does_not_lengthen_the_fresh_time(world):
    until = source_of(world.provider)._fresh[0]
    before = len(world.server.sent)
    world.clock.true = until + 10
    world.clock.step = -0.8 * CLOCK_TOLERANCE  # so the wall clock alone would call it fresh
    assert world.clock.time() < until
    world.header(world.provider)
    assert len(world.server.sent) == before + 1


def test_a_fresh_token_is_served_without_a_request(world):
    assert world.settles(world.provider) == 0


@pytest.mark.parametrize("step", [DAY, -DAY, 3600.0, -3600.0, 90.0, -90.0])
def test_a_clock_that_steps_costs_each_cache_at_most_one_request(world, step):
    world.clock.step += step
    assert world.settles(world.provider) <= 1
    for _ in range(3):
        world.settles(world.new_process())
    assert len(world.server.sent) <= 1


def test_a_clock_that_is_set_back_does_not_lengthen_a_tokens_life(world):
    world.clock.step -= DAY
    for _ in range(12):
        world.header(world.provider)
        world.clock.true += 600
    assert 1 <= len(world.server.sent) <= 4


def test_a_new_process_after_the_clock_was_set_back_does_not_believe_the_entry(world):
    world.clock.step -= DAY
    world.clock.true += 3700
    assert world.header(world.new_process())
    assert world.header(world.new_process())
    assert len(world.server.sent) == 1


@pytest.mark.parametrize("first", [DAY, -DAY])
def test_a_step_that_is_taken_back_settles(world, first):
    world.clock.step += first
    world.settles(world.provider)
    world.clock.step -= first
    world.settles(world.provider)
    world.settles(world.new_process())
    assert len(world.server.sent) <= 2


def test_a_machine_that_wakes_after_its_token_has_expired_fetches_a_new_one(world):
    world.clock.suspend(2 * 3600)
    world.settles(world.provider)
    assert len(world.server.sent) == 1


def test_a_machine_that_wakes_while_its_token_lives_serves_it(world):
    token = world.header(world.provider)
    world.clock.suspend(1800)
    assert world.header(world.provider) == token
    assert world.server.sent == []


@pytest.mark.parametrize("step", [DAY, -DAY])
def test_a_clock_that_steps_during_the_exchange_settles(world, step):
    world.clock.true += 3700
    world.server.on_request = lambda: setattr(world.clock, "step", step)
    world.header(world.provider)
    world.settles(world.provider)
    world.settles(world.new_process())
    assert len(world.server.sent) <= 3


def test_a_token_lives_no_longer_because_the_clock_was_set_back_while_it_was_fetched(world):
    world.clock.true += 3700
    world.server.on_request = lambda: setattr(world.clock, "step", -DAY)
    for _ in range(20):
        world.header(world.provider)
        world.clock.true += 600


def test_a_machine_that_slept_during_the_exchange_counts_from_when_it_asked(world):
    world.clock.true += 3700

    def sleep_once():
        world.server.on_request = lambda: None
        world.clock.suspend(1800)

    world.server.on_request = sleep_once
    world.header(world.provider)
    entry = world.cache.get(session_of(world.provider).entry_id)
    assert entry.expires_at - world.clock.time() == pytest.approx(1800)


@pytest.mark.parametrize("lifetime", [5.0, 30.0, 300.0, 86400.0])
def test_tokens_of_every_lifetime_are_replaced_before_they_end(lifetime):
    with World(lifetime) as world:
        for _ in range(40):
            world.header(world.provider)
            world.clock.true += lifetime / 8
        assert 4 <= len(world.server.sent) <= 20


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.floats(0, 5400)),
        st.tuples(st.just("suspend"), st.floats(0, 5400)),
        st.tuples(st.just("step"), st.sampled_from([DAY, -DAY, 7200.0, -7200.0])),
        st.tuples(st.just("new process"), st.none()),
    ),
    max_size=12,
)


@settings(max_examples=60)
@given(STEPS)
def test_whatever_a_clock_does_a_provider_settles_on_a_token_that_lives(steps):
    with World() as world:
        for what, value in steps:
            if what == "pass":
                world.clock.true += value
            elif what == "suspend":
                world.clock.suspend(value)
            elif what == "step" and abs(world.clock.step + value) <= DAY:
                world.clock.step += value
            elif what == "new process":
                world.provider = world.new_process()
            world.settles(world.provider)
        assert len(world.server.sent) <= 3 * (len(steps) + 1)
        assert world.server.spent_sent == 0


@given(st.floats(1, 86400), st.floats(-2, 2))
def test_a_live_token_has_more_left_than_the_margin_and_is_not_from_the_future(lifetime, at):
    now = 1000 + at * lifetime
    live = is_live(1000, 1000 + lifetime, now)
    assert live == (1000 - CLOCK_TOLERANCE <= now < 1000 + lifetime - margin(lifetime))


@given(st.floats(1, 86400))
def test_a_token_becomes_stale_in_time_before_it_expires(lifetime):
    ahead = lifetime - stale_at(0, lifetime)
    whole = min(lifetime / 2, 20 * 60)
    assert 0.8 * whole - 1e-6 <= ahead <= whole + 1e-6
    assert ahead > margin(lifetime) - 1e-6


def test_failure_from_before_the_clock_was_set_back_is_not_shared(world):
    world.clock.step += DAY
    world.server.trouble.extend(["unavailable"] * 4)
    with pytest.raises(TokenEndpointError):
        world.provider.headers()
    world.clock.step -= DAY
    world.clock.true += 3700
    assert world.header(world.provider)


def test_a_sign_in_from_before_the_clock_was_set_back_does_not_pass_for_a_new_one(world):
    world.clock.step += DAY
    person = provider_over(world.cache, world.server, person=True)
    first = person.login()
    world.clock.step -= DAY
    assert person.login().access_token != first.access_token


@pytest.mark.parametrize("step", [DAY, -DAY])
def test_a_failure_ahead_of_time_does_not_end_such_tries_when_the_clock_steps(world, step):
    token = world.header(world.provider)
    world.clock.true += 3000
    world.server.trouble.append("unavailable")
    assert world.header(world.provider) == token
    world.clock.step += step
    world.clock.true += 300
    world.settles(world.provider)
    assert world.header(world.provider) != token
