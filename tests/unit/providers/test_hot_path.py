"""A session's snapshot: when it counts as fresh, what takes its place, and what is said of it."""

import logging
import sys

import pytest

from lakekey import ConfigurationError, LockTimeout, LoginRequired, TokenEndpointError
from lakekey._imports import LOADING
from lakekey.configuration.target import resolve
from lakekey.providers import hot_path
from lakekey.providers.hot_path import SessionSource
from lakekey.providers.provider import Provider
from lakekey.session.expiry import CLOCK_TOLERANCE, margin
from lakekey.session.session import SignedOutElsewhere
from support.inside import session_of, source_of
from support.model import DAY, Clock, ModelServer
from support.model_providers import cache_over, provider_over

LIFETIME = 3600.0
STALE = LIFETIME - 600  # within its last 16 minutes, whatever the jitter


class World:
    """A machine whose clock is at hand, and a provider that has a fresh token; stale ones are renewed at once."""

    def __init__(self):
        self.clock = Clock()
        self.server = ModelServer(self.clock, LIFETIME)
        self.cache = cache_over()
        with self.clock.installed():
            provider_over(self.cache, self.server, person=True).login()
            self.provider = provider_over(self.cache, self.server)
            self.token = self.ask()
        self.source = source_of(self.provider)
        self.session = session_of(self.provider)

    def ask(self):
        return self.provider.headers()["Authorization"].removeprefix("Bearer ")

    def store(self, **changes):
        """Changes the entry, as another process would."""
        stored = self.cache.read(self.session.entry_id)
        entry = stored.entry._replace(**changes)
        assert self.cache.put(self.session.entry_id, entry, replaces=stored.envelope)
        return entry


@pytest.fixture
def world():
    world = World()
    with world.clock.installed():
        yield world


# Fresh


def test_token_is_fresh_while_both_clocks_say_so(world):
    assert world.source.is_fresh
    world.clock.suspend(STALE)  # which the monotonic clock does not notice
    assert not world.source.is_fresh
    world.clock.step = -STALE  # set back by as much, so that the wall clock does not notice
    assert world.source.is_fresh
    world.clock.suspended = 0.0  # as if it had not slept
    assert not world.source.is_fresh
    world.clock.true -= STALE
    world.clock.step = -CLOCK_TOLERANCE - 1
    assert not world.source.is_fresh, "from before it was issued"


@pytest.mark.parametrize("clock", ["wall", "monotonic", "set back"])
def test_stale_token_is_handed_out_once_more_and_replaced(world, clock):
    world.clock.true += STALE
    if clock == "wall":
        world.clock.suspended = STALE
    elif clock == "monotonic":
        world.clock.step = -STALE
    else:
        world.clock.true -= STALE
        world.clock.step = -CLOCK_TOLERANCE - 1
    assert (world.ask() == world.token) is (clock != "set back"), "what is from before it was issued may have ended"
    assert world.ask() != world.token
    assert len(world.server.sent) == 1


@pytest.mark.parametrize("clock", ["wall", "monotonic"])
def test_token_that_has_expired_by_either_clock_is_not_handed_out(world, clock):
    world.clock.true += LIFETIME
    if clock == "wall":
        world.clock.suspended = LIFETIME
    else:
        world.clock.step = -LIFETIME
        world.store(expires_at=world.clock.time() - 1, issued_at=world.clock.time() - LIFETIME)
    assert world.ask() != world.token
    assert len(world.server.sent) == 1


def test_snapshot_ends_with_its_token_less_the_margin(world):
    entry = world.source._snapshot.entry
    assert world.source._snapshot.end == entry.expires_at - margin(LIFETIME)
    assert world.source._snapshot.end_monotonic == pytest.approx(world.clock.monotonic() + LIFETIME - margin(LIFETIME))


def test_request_that_only_clears_up_gets_the_live_token_and_asks_no_person(world):
    assert world.source.unattended_headers() == {"Authorization": f"Bearer {world.token}"}
    assert world.server.sent == []
    person = provider_over(cache_over(), world.server, person=True)
    with pytest.raises(LoginRequired):
        source_of(person).unattended_headers()
    assert person.headers() == source_of(person).unattended_headers(), "any other request asks the person"


@pytest.mark.usefixtures("ci_job")
def test_identity_of_an_unattended_run_is_announced_with_its_first_token_only(world, caplog):
    provider = provider_over(world.cache, world.server)
    with caplog.at_level(logging.INFO, "lakekey.automation"):
        provider.headers()
        source_of(provider)._adopt(source_of(provider).stored())
    assert len(caplog.records) == 1


# Renewing ahead of time


def test_try_that_fails_is_followed_by_later_ones_and_reported_once(world, caplog):
    world.clock.true += STALE
    pauses = []
    with caplog.at_level(logging.DEBUG, "lakekey"):
        for _ in range(6):
            world.server.trouble.append("unavailable")
            world.source._renew_early(world.source._snapshot)
            pauses.append(world.source._early_pause)
            world.clock.true += 60  # longer than a failure is shared by the machine's processes
    assert pauses == [20.0, 40.0, 80.0, 120.0, 120.0, 120.0]
    entry = world.session.entry_id[:12]
    name = world.source.target.name
    said = [(record.levelno, record.getMessage()) for record in caplog.records if "cannot renew" in record.getMessage()]
    assert {message for _, message in said} == {
        f"{name}: cannot renew ahead of time: the model is not available, entry {entry}"
    }
    assert [level for level, _ in said] == [logging.WARNING] + [logging.DEBUG] * 5
    assert f"{name}: renewing ahead of time, entry {entry}" in [record.getMessage() for record in caplog.records]
    world.source._renew_early(world.source._snapshot)
    assert world.source._early_pause == 10.0
    assert world.ask() != world.token


def test_stale_token_is_tried_to_be_replaced_after_a_pause_only(world):
    world.clock.true += STALE
    world.server.trouble.extend(["unavailable"] * 2)
    assert [world.ask() for _ in range(3)] == [world.token] * 3
    assert len(world.server.sent) == 1
    world.clock.true += 9.9
    assert world.source.is_fresh, "no job is made of it yet"
    world.ask()
    assert len(world.server.sent) == 1
    world.clock.true += 0.2
    assert not world.source.is_fresh
    world.ask()
    assert len(world.server.sent) == 2


def test_code_that_interrupts_an_import_gets_the_token_and_leaves_the_renewal_to_the_next(world):
    world.clock.true += STALE
    with LOADING:
        assert world.ask() == world.token
    assert world.server.sent == []
    world.clock.true += 11
    world.ask()
    assert world.ask() != world.token


def test_pause_ends_with_the_token(world):
    world.clock.true += LIFETIME - margin(LIFETIME) - 3
    world.server.trouble.append("unavailable")
    assert world.ask() == world.token
    world.clock.true += 3
    assert world.ask() != world.token


def test_renewal_that_another_snapshot_has_overtaken_is_not_taken_into_use(world):
    old = world.source._snapshot
    world.source._adopt(world.store(access_token="newer"))
    newer = world.source._snapshot
    world.source._renew_early(old)
    assert world.source._snapshot is newer


def test_sign_out_on_another_host_ends_the_snapshot_that_it_was_found_for(world, monkeypatch, caplog):
    def signed_out(_):
        raise SignedOutElsewhere

    old = world.source._snapshot
    world.source._adopt(world.store(access_token="newer"))
    newer = world.source._snapshot
    monkeypatch.setattr(world.session, "renew_early", signed_out)
    with caplog.at_level(logging.INFO, "lakekey.provider"):
        world.source._renew_early(old)
        assert world.source._snapshot is newer
        world.source._renew_early(newer)
    assert (world.source._snapshot, world.source._fresh) == (None, hot_path._NOTHING)
    said = f"{world.source.target.name}: signed out on another host, entry {world.session.entry_id[:12]}"
    assert [record.getMessage() for record in caplog.records] == [said] * 2


# Tokens, refusals, sign-outs


def test_token_that_has_expired_is_renewed_before_it_is_returned(world):
    world.clock.true += LIFETIME
    token = world.provider.token()
    assert token.access_token != world.token
    assert token.expires_at.timestamp() > world.clock.time()


def test_sign_in_takes_its_token_into_use(world):
    person = provider_over(world.cache, world.server, person=True)
    assert person.headers() == world.provider.headers()
    token = person.login().access_token
    assert token != world.token
    assert person.headers() == {"Authorization": f"Bearer {token}"}


def test_token_is_that_of_the_headers_and_outlives_a_sign_out_in_between(world):
    assert world.provider.token().access_token == world.token
    headers, signed_out = world.source.headers, []

    def signs_out_once():
        found = headers()
        if not signed_out:
            signed_out.append(True)
            world.source._snapshot, world.source._fresh = None, hot_path._NOTHING
        return found

    world.source.headers = signs_out_once
    assert world.source.token().access_token == world.token


def test_refused_token_is_replaced_and_an_older_one_was_already(world):
    assert world.provider.invalidate(world.token) is True
    newer = world.ask()
    assert newer != world.token
    assert world.provider.invalidate(world.token) is True
    assert (world.ask(), len(world.server.sent)) == (newer, 1)
    assert world.provider.invalidate(newer) is False, "it is on trial"
    world.provider.served(newer)
    assert world.provider.invalidate(newer) is True
    assert len(world.server.sent) == 2


def test_refusal_in_a_process_without_a_snapshot_is_heeded(world):
    other = provider_over(world.cache, world.server)
    assert other.invalidate(world.token) is True
    assert source_of(other)._snapshot.entry.access_token != world.token
    assert len(world.server.sent) == 1


def test_sign_out_leaves_nothing_to_hand_out(world):
    assert world.provider.logout() is True
    assert (world.source._snapshot, world.source._fresh) == (None, hot_path._NOTHING)
    with pytest.raises(LoginRequired):
        world.ask()
    assert world.provider.logout() is False


# Who, and whether a person has to sign in


def test_service_principal_is_its_application_and_needs_no_person():
    of = lambda **settings: Provider(resolve(environ={}, host="https://acme.cloud.databricks.com", **settings))  # noqa: E731
    robot = of(client_id="robot", client_secret="dose-of-a-principal")
    assert (robot.identity(), robot.needs_login()) == ("robot", False)


@pytest.mark.parametrize(
    ("changes", "needs"),
    [
        ({}, False),
        ({"refresh_token": ""}, False),
        ({"expires_at": 0.0}, False),
        ({"refresh_token": "", "expires_at": 0.0}, True),
    ],
    ids=["both", "a token that lives", "a refresh token", "neither"],
)
def test_person_has_to_sign_in_when_nothing_serves_any_more(world, changes, needs):
    world.store(**changes)
    assert provider_over(world.cache, world.server).needs_login() is needs
    assert world.provider.identity() == "ada@example.com"


def test_without_a_session_a_person_has_to_sign_in_and_is_not_known():
    provider = provider_over(cache_over(), ModelServer(Clock()))
    assert (provider.needs_login(), provider.identity()) == (True, None)


# The end of a session


def test_end_of_a_session_is_told_as_a_token_is_taken_into_use_and_to_a_late_callback(world):
    heard, late = [], []
    world.provider.on_session_ending(heard.append)
    assert heard == []
    end = world.clock.time() + 600
    world.source._adopt(world.store(session_ends_at=end, logged_in_at=end - DAY, access_token="newer"))
    world.provider.on_session_ending(late.append)
    assert [ending.ends_at.timestamp() for ending in (heard[0], late[0])] == [pytest.approx(end)] * 2
    assert len(heard) == 2, "a callback that comes later brings the end to mind"


def test_end_that_is_far_away_is_not_reported(world):
    heard = []
    world.provider.on_session_ending(heard.append)
    world.source._adopt(world.store(session_ends_at=world.clock.time() + 100 * DAY, access_token="newer"))
    assert heard == []


# Errors


@pytest.mark.parametrize(("given", "named"), [("other", "other"), (None, "https://model.example.com")])
def test_error_names_the_profile_that_it_happened_to(world, given, named):
    def fails():
        raise TokenEndpointError("no", profile=given)

    with pytest.raises(TokenEndpointError) as caught:
        world.source._with_profile(fails)
    assert caught.value.profile == named


@pytest.mark.parametrize("kind", [ImportError, AttributeError])
def test_import_that_fails_is_not_an_error_of_ours_unless_it_was_interrupted(world, kind):
    def fails():
        raise kind("broken installation")

    with pytest.raises(kind, match="broken installation"):
        world.source._with_profile(fails)
    with LOADING, pytest.raises(LockTimeout) as caught:
        world.source._with_profile(fails)
    assert caught.value.profile == "https://model.example.com"


def test_release_that_was_replaced_serves_its_token_to_the_end_and_then_says_to_restart(world, monkeypatch):
    def background():
        raise ImportError("another release", name="lakekey.providers.background_renewal")

    monkeypatch.setattr(hot_path, "_background", background)
    monkeypatch.setitem(sys.modules, "lakekey.session.assembly", None)  # as one that is gone
    world.session._renewal = None
    world.clock.true += STALE
    assert world.ask() == world.ask() == world.token
    world.clock.true += LIFETIME
    with pytest.raises(ConfigurationError, match=r"https://model\.example\.com: lakekey was changed") as caught:
        world.ask()
    assert caught.value.hint == "restart this program"


def test_early_renewal_that_cannot_load_its_modules_is_logged_as_what_it_is(world, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "lakekey.session.assembly", None)
    world.session._renewal = None
    world.source._renew_early(world.source._snapshot)
    assert "cannot renew ahead of time: lakekey was changed or removed" in caplog.text


def test_refused_token_of_a_release_that_was_replaced_says_to_restart(world, monkeypatch):
    monkeypatch.setitem(sys.modules, "lakekey.providers.sources", None)
    with pytest.raises(ConfigurationError, match="restart this program"):
        world.provider.invalidate(world.token)


def test_snapshot_of_nothing_is_not_fresh():
    target = resolve(environ={}, host="https://acme.cloud.databricks.com")
    assert not SessionSource(session_of(Provider(target))).is_fresh
