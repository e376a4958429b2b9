"""What is kept of a token endpoint's answer in the entry."""

from lakekey.cache.entry import Entry
from lakekey.configuration.target import resolve
from lakekey.oauth.token_response import TokenResponse
from lakekey.session.token_answer import entry_from

HOST = "https://dbc.cloud.databricks.com"
ANSWER = TokenResponse("access", 3600, "refresh", (), None)


def target(**settings):
    return resolve(environ={}, host=HOST, **settings)


def test_refresh_token_that_is_not_wanted_is_not_kept_though_the_server_sends_one():
    assert entry_from(target(disable_oauth_refresh_token=True), Entry({}), ANSWER, 1.0).refresh_token == ""
    assert entry_from(target(), Entry({}), ANSWER, 1.0).refresh_token == "refresh"


def test_answer_without_refresh_token_keeps_the_old_one_and_its_expiry():
    before = Entry({}, refresh_token="old", refresh_expires_at=77.0)
    kept = entry_from(target(), before, ANSWER._replace(refresh_token=None), 1.0)
    assert (kept.refresh_token, kept.refresh_expires_at) == ("old", 77.0)
    assert kept.rotates is False


def test_answer_with_another_refresh_token_says_that_the_server_rotates():
    assert entry_from(target(), Entry({}, refresh_token="old"), ANSWER, 1.0).rotates is True


def test_server_that_rotated_once_is_taken_for_one_that_rotates():
    before = Entry({}, refresh_token="old", rotates=True)
    assert entry_from(target(), before, ANSWER._replace(refresh_token=None), 1.0).rotates is True
    assert entry_from(target(), Entry({}, rotates=True), ANSWER, 1.0).rotates is None  # by a sign-in


def test_lifetime_counts_from_when_the_request_was_sent():
    kept = entry_from(target(), Entry({}), ANSWER, 1000.0)
    assert (kept.issued_at, kept.expires_at) == (1000.0, 4600.0)


def test_configured_lifetime_of_refresh_tokens_fills_in_for_a_silent_server():
    kept = entry_from(target(refresh_token_lifetime_in_minutes=10), Entry({}), ANSWER, 1000.0)
    assert kept.refresh_expires_at == 1600.0
    assert entry_from(target(), Entry({}), ANSWER, 1000.0).refresh_expires_at == 0.0


def test_scopes_are_those_granted_else_those_before_else_those_asked_for():
    asked = target(scopes=["all-apis"])
    before = Entry({}, scopes=("sql",))
    assert entry_from(asked, before, ANSWER._replace(scopes=("offline_access",)), 1.0).scopes == ("offline_access",)
    assert entry_from(asked, before, ANSWER, 1.0).scopes == ("sql",)
    assert entry_from(asked, Entry({}), ANSWER, 1.0).scopes == asked.scopes


def test_token_that_replaces_one_before_its_time_is_on_trial():
    before = entry_from(target(), Entry({}), ANSWER, 1000.0)
    assert entry_from(target(), before, ANSWER, 1060.0).on_trial
    assert not entry_from(target(), before, ANSWER, 4500.0).on_trial
