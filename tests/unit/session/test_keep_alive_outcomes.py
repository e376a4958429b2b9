"""What a round of keep-alive says of each session, and of all of them."""

import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from lakekey.cache.entry import Entry
from lakekey.configuration.target import resolve
from lakekey.errors import CacheError
from lakekey.observability import audit, events
from lakekey.session import keep_alive_outcomes
from lakekey.session.inventory import Found
from lakekey.session.keep_alive_outcomes import FAILED, NOT_DUE, RENEWED, SIGN_IN, Sums, kept_session

NAME = "a" * 64
HOST = "https://dbc.cloud.databricks.com"
ABOUT = {"host": HOST, "auth_type": "external-browser"}
NOW = 1_800_000_000.0


def at(seconds):
    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize(
    ("fields", "lapses", "ends"),
    [
        ({"refresh_expires_at": NOW + 60, "session_ends_at": NOW + 90}, at(NOW + 60), at(NOW + 90)),
        ({"refresh_expires_at": NOW + 60, "rotates": False}, at(NOW + 60), at(NOW + 60)),
        ({"refresh_expires_at": NOW + 60, "session_ends_at": NOW + 90, "rotates": False}, at(NOW + 60), at(NOW + 60)),
        ({"refresh_expires_at": NOW + 90, "session_ends_at": NOW + 60, "rotates": False}, at(NOW + 90), at(NOW + 60)),
        ({"session_ends_at": NOW + 90, "rotates": False}, None, at(NOW + 90)),
        ({"refresh_token": "", "refresh_expires_at": NOW + 60, "session_ends_at": NOW + 90}, None, None),
    ],
)
def test_session_ends_with_a_refresh_token_that_stays_the_same(fields, lapses, ends):
    kept = kept_session(Found(NAME, Entry(ABOUT, **{"refresh_token": "r", **fields})), None, RENEWED)
    assert (kept.lapses_at, kept.ends_at) == (lapses, ends)


def test_session_is_named_by_its_profile_of_today_or_the_one_that_was_asked_for():
    entry = Entry(ABOUT, identity="ada@example.com")
    target = resolve(None, {}, host=HOST)
    kept = kept_session(Found(NAME, entry, ("prod", "prod-too")), target, RENEWED)
    assert (kept.entry, kept.workspace, kept.profile, kept.identity, kept.state, kept.error) == (
        NAME, HOST, "prod", "ada@example.com", RENEWED, None,
    )  # fmt: skip
    asked_for = SimpleNamespace(
        profile="other", refresh_token_lifetime_in_minutes=None, absolute_session_lifetime_in_minutes=None
    )
    assert kept_session(Found(NAME, entry), asked_for, RENEWED).profile == "other"
    assert kept_session(Found(NAME, entry), None, RENEWED).profile is None


def test_session_that_cannot_be_opened_has_an_error_and_nothing_else():
    trouble = CacheError("noise")
    kept = kept_session(Found(NAME, None, trouble=trouble), None, FAILED, error=trouble)
    assert (kept.workspace, kept.identity, kept.error) == ("", None, trouble.code)


@pytest.fixture
def reported(monkeypatch):
    reported = SimpleNamespace(audit=[], log=[], metrics=[])
    monkeypatch.setattr(audit, "record", lambda kind, **fields: reported.audit.append((kind, fields)))
    monkeypatch.setattr(events, "sessions_kept", lambda *given: reported.metrics.append(given))
    monkeypatch.setattr(
        keep_alive_outcomes._log, "info", lambda subject, text, *values: reported.log.append((subject, text % values))
    )
    return reported


def summed(*states, ends=()):
    sums = Sums()
    for number, state in enumerate(states):
        kept = kept_session(Found(NAME, Entry(ABOUT)), None, state)
        sums.add(kept._replace(ends_at=at(ends[number]) if number < len(ends) else None))
    return sums


@pytest.mark.parametrize(
    ("states", "said", "outcome"),
    [
        ((RENEWED, RENEWED, NOT_DUE), "2 renewed", "done"),
        ((RENEWED, FAILED, SIGN_IN, NOT_DUE), "1 renewed, 1 failed, 1 sign in again", "failed"),
        ((FAILED,), "1 failed", "failed"),
    ],
)
def test_round_that_did_something_is_logged_and_audited(reported, states, said, outcome):
    environ = {"LAKEKEY_AUDIT": "a file"}
    summed(*states).report(environ)
    assert reported.log == [("keep_alive", f"{len(states)} sessions looked at: {said}")]
    about = {"environ": environ, "action": "keep_alive", "outcome": outcome, "detail": said}
    assert reported.audit == [(audit.ADMINISTRATION, about)]


def test_round_that_did_nothing_is_in_the_metrics_only(reported):
    summed(NOT_DUE, SIGN_IN).report({})
    assert (reported.audit, reported.log) == ([], [])
    assert reported.metrics == [({(HOST, NOT_DUE): 1, (HOST, SIGN_IN): 1}, None, {})]


def test_metrics_have_the_first_end_of_all_sessions(reported):
    now = time.time()
    summed(RENEWED, NOT_DUE, NOT_DUE, NOT_DUE, ends=(now + 900, now + 300, now + 600)).report({})
    ((_, next_end, _),) = reported.metrics
    assert next_end == pytest.approx(300, abs=60)
