"""One stored credential: whether its token serves, whether a person is there, and what this host has seen of it."""

import logging
import time
from types import SimpleNamespace

import pytest

from lakekey.cache import near
from lakekey.cache.cache import Cache
from lakekey.cache.entry import Entry
from lakekey.configuration.target import resolve
from lakekey.errors import StoreUnavailable
from lakekey.session import credential as module
from lakekey.session.credential import Credential
from lakekey.session.intent import digest_of
from lakekey.session.session import Session
from lakekey.session.timing import USUAL, Timing
from support.memory_stores import Shared
from support.model_providers import TARGET, cache_over

PRINCIPAL = resolve(None, {}, host="https://model.example.com", client_id="an-app", client_secret="a-secret")
ADA = resolve(None, {}, host="https://model.example.com", user="ada@example.com")


def entry_of(credential, *, left=3600.0, since=60.0, **fields):
    now = time.time()
    made = Entry(
        {}, access_token="live", issued_at=now - since, expires_at=now + left, proof=credential.target.secret_digest
    )
    return made._replace(**fields)


@pytest.fixture
def credential():
    return Credential(TARGET, cache=cache_over(), environ={})


@pytest.fixture
def shared():
    return Credential(TARGET, cache=cache_over(Shared()))


@pytest.mark.parametrize(
    ("fields", "rejected", "good"),
    [
        ({}, "", True),
        ({}, "another", True),
        ({}, "live", False),
        ({"access_token": ""}, "", False),
        ({"access_token": ""}, "another", False),
        ({"expires_at": 1.0}, "", False),
        ({"proof": "of another secret"}, "", False),
    ],
)
def test_token_serves_that_lives_is_ours_and_was_not_refused(credential, fields, rejected, good):
    assert credential.serves(entry_of(credential, **fields), rejected) is good
    assert credential.settles(entry_of(credential, **fields), rejected) is good


@pytest.mark.parametrize(
    ("fields", "served", "settled"),
    [
        ({}, "", True),
        ({"on_trial": False}, "", False),
        ({}, "live", False),  # a server has accepted it since
        ({"since": 31.0}, "", False),
        ({"access_token": "another"}, "", True),
        ({"expires_at": 1.0}, "", False),
    ],
)
def test_token_that_replaced_a_refused_one_is_not_replaced_at_once(credential, fields, served, settled):
    entry = entry_of(credential, **{"since": 1.0, "on_trial": True, **fields})
    assert credential.settles(entry, "live", served) is settled


@pytest.mark.parametrize(("mode", "there"), [("browser", True), ("never", False)])
def test_person_is_there_where_the_program_or_the_environment_says_so(mode, there):
    assert Credential(TARGET, environ={}, interactive=mode).attended is there
    assert Credential(TARGET, environ={"LAKEKEY_INTERACTIVE": mode}).attended is there


def test_no_person_is_there_for_a_service_principal_or_a_users_connection():
    assert not Credential(PRINCIPAL, environ={}, interactive="browser").attended
    connected = resolve(None, {}, host="https://model.example.com", user="ada@example.com")
    object.__setattr__(connected, "connect_url", "https://portal.example.com")  # as a portal's store has it
    assert not Credential(connected, environ={}, interactive="browser").attended


@pytest.mark.parametrize(
    ("environ", "settings", "shared"),
    [
        ({}, {}, False),
        ({"LAKEKEY_STORE": " postgresql://db/x "}, {}, True),
        ({"LAKEKEY_STORE": "memory:"}, {}, False),
        ({"LAKEKEY_STORE": "postgresql://db/x"}, {"store": "memory:"}, False),
        ({}, {"store": "redis://cache/0"}, True),
    ],
)
def test_store_is_one_that_hosts_share_by_the_profile_else_by_the_environment(environ, settings, shared):
    target = resolve(None, {}, host="https://model.example.com", **settings)
    assert Credential(target, environ=environ).shared is shared


@pytest.mark.parametrize(
    ("generation", "token", "newer"), [(4, "old", True), (4, "new", False), (5, "old", False), (6, "old", False)]
)
def test_store_that_went_back_is_known_by_what_this_host_has_seen(shared, generation, token, newer):
    stored = entry_of(shared, generation=generation, refresh_token=token)
    assert not shared.has_seen_newer(stored)
    assert not shared.was_seen_here()
    shared.keep_near(entry_of(shared, generation=5, refresh_token="new"))
    assert shared.was_seen_here()
    assert shared.has_seen_newer(stored) is newer


def test_store_of_one_machine_keeps_nothing_near(credential):
    credential.keep_near(entry_of(credential))
    assert credential._near is None
    assert not credential.was_seen_here()
    assert not credential.has_seen_newer(entry_of(credential))


@pytest.mark.parametrize("token", ["a-refresh-token", ""])
def test_copy_has_the_digest_of_the_refresh_token_and_its_age_begins_again(shared, token):
    shared.age = 100.0
    shared.keep_near(entry_of(shared, refresh_token=token))
    assert shared.near.get(shared.entry_id).token == (digest_of(token) if token else "")
    assert shared.age == 0.0


# Looking into a store that hosts share, and at this host's copy


def stored(credential, **fields):
    """Puts an entry into the store, beside what this host has a copy of."""
    entry = entry_of(credential, **{"access_token": "in the store", **fields})
    assert credential.cache.put(credential.entry_id, entry, replaces=None)


def later(monkeypatch, seconds):
    """Lets this host's copies be so much older."""
    now = time.time
    monkeypatch.setattr(near, "time", SimpleNamespace(time=lambda: now() + seconds))


def test_copy_that_serves_and_is_recent_spares_the_store_a_question(shared, monkeypatch):
    assert shared.age == 0.0
    stored(shared)
    shared.keep_near(entry_of(shared))
    later(monkeypatch, 100)
    assert shared.look_near().access_token == "live"
    assert 100 <= shared.age < near.CHECKED


@pytest.mark.parametrize(("rejected", "seconds"), [("live", 0), ("", near.CHECKED)])
def test_store_is_asked_where_the_copy_will_not_do(monkeypatch, rejected, seconds):
    ada = Credential(ADA, cache=cache_over(Shared()))
    stored(ada)
    ada.keep_near(entry_of(ada))
    later(monkeypatch, seconds)
    ada.age = 100.0
    assert ada.look(rejected).access_token == "in the store"
    assert ada.age == 0.0
    assert ada.near.get(ada.entry_id).entry.access_token == "in the store"


def test_store_that_has_no_entry_was_asked_just_now(shared):
    shared.age = 100.0
    assert shared.look() is None
    assert shared.age == 0.0


def test_copy_that_serves_stands_in_for_a_store_that_is_away(shared, monkeypatch):
    shared.cache.store.away = True
    with pytest.raises(StoreUnavailable):
        shared.look()
    shared.keep_near(entry_of(shared))
    later(monkeypatch, near.CHECKED)
    assert shared.look().access_token == "live"
    with pytest.raises(StoreUnavailable):
        shared.look("live")


def test_entry_that_needs_an_exchange_is_not_kept_near(shared):
    stored(shared, left=-10.0)
    assert shared.look().access_token == "in the store"
    assert not shared.was_seen_here()


@pytest.mark.parametrize(("target", "left"), [(ADA, ""), (PRINCIPAL, "live")])
def test_copy_of_a_persons_session_that_is_gone_serves_no_more(target, left):
    credential = Credential(target, cache=cache_over(Shared()))
    credential.keep_near(entry_of(credential))
    assert credential.look("live") is None
    assert credential.near.get(credential.entry_id).entry.access_token == left


def test_cache_is_opened_once():
    credential = Credential(TARGET)
    assert isinstance(credential.cache, Cache)
    assert credential.cache is credential.cache


def test_timing_is_the_usual_unless_another_is_given():
    assert Credential(TARGET).timing is USUAL
    hurried = Timing(attempts=1)
    assert Credential(TARGET, timing=hurried).timing is hurried


@pytest.mark.parametrize(("target", "who"), [(PRINCIPAL, "an-app"), (ADA, "ada@example.com")])
def test_events_are_told_with_who_it_is(target, who, caplog):
    caplog.set_level(logging.INFO, "lakekey")
    credential = Credential(target, cache=cache_over(), environ={})
    assert credential.events is credential.events
    credential.events.refreshed(None)
    assert f"who={who}" in caplog.text


# A process that becomes another user's


@pytest.fixture
def user(monkeypatch):
    """Whose process this is: change it by ``user.append``."""
    users = [0]
    monkeypatch.setattr(module, "owner", lambda: users[-1])
    return users


def test_cache_is_opened_again_as_another_user_and_the_parts_of_the_session_with_it(user, tmp_path):
    session = Session(PRINCIPAL, environ={"LAKEKEY_CACHE_DIR": str(tmp_path / "cache")})
    before, queue, renewal, events = session.cache, session.queue, session.renewal, session.credential.events
    assert (session.cache, session.queue, session.renewal) == (before, queue, renewal)
    user.append(54321)
    assert session.cache is not before
    assert session.queue.is_in(session.cache)
    assert session.renewal is not renewal
    assert session.credential.events is not events
    assert (session.queue, session.renewal) == (session.queue, session.renewal)


def test_cache_that_was_given_stays_and_so_does_one_that_hosts_share(user, credential, monkeypatch):
    given = credential.cache
    opened = []
    monkeypatch.setattr(module, "open_cache", lambda *_, **__: opened.append(1) or cache_over(Shared()))
    shared = Credential(PRINCIPAL, environ={"LAKEKEY_STORE": "redis://a.example.com"})
    before = shared.cache
    user.append(54321)
    assert credential.cache is given
    assert shared.cache is before
    assert opened == [1]
