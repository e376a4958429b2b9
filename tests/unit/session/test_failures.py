"""Errors as the entry keeps them, and back."""

import time

import pytest

from lakekey.cache.entry import Entry, Failure
from lakekey.configuration.target import resolve
from lakekey.errors import CredentialsRefused, LoginDenied, LoginTimeout, TokenEndpointError
from lakekey.session.failures import Failures

TARGET = resolve(environ={}, host="https://dbc.cloud.databricks.com")
FAILURES = Failures(TARGET)


@pytest.mark.parametrize(
    "error",
    [
        LoginDenied("denied", hint="ask"),
        CredentialsRefused("the secret is wrong", error="invalid_client"),
        TokenEndpointError("busy", status=503, retry_after=7.0),
    ],
)
def test_error_that_was_kept_comes_back_as_it_was(error):
    back = FAILURES.to_error(FAILURES.of(error))
    assert type(back) is type(error)
    assert (back.message, back.hint) == (error.message, error.hint)
    for name in ("status", "retry_after", "error"):
        assert getattr(back, name, None) == getattr(error, name, None)


def test_code_of_a_later_release_reads_as_a_transient_failure():
    assert type(FAILURES.to_error(Failure("of_2040", "new kind", 0.0))) is TokenEndpointError


def test_only_a_recent_failed_sign_in_stops_the_next_tab():
    now = FAILURES.of(LoginTimeout("too late"))
    assert FAILURES.in_login_cooldown(now)
    assert not FAILURES.in_login_cooldown(now._replace(at=now.at - 31))
    assert not FAILURES.in_login_cooldown(FAILURES.of(TokenEndpointError("busy")))


def test_pause_that_the_server_asked_for_is_kept():
    failure = FAILURES.of(TokenEndpointError("busy", retry_after=60.0))
    assert FAILURES.in_backoff(failure._replace(at=failure.at - 50))
    assert not FAILURES.in_backoff(failure._replace(at=failure.at - 61))


def test_failure_of_another_secret_is_not_ours():
    assert not FAILURES.in_backoff(FAILURES.of(TokenEndpointError("busy"))._replace(proof="another secret's"))


@pytest.mark.parametrize(("ago", "pauses"), [(-5, False), (0.0, True), (0.5, True), (50, False)])
def test_failure_is_left_alone_for_a_moment_and_one_of_the_future_never_is(ago, pauses):
    failure = FAILURES.of(TokenEndpointError("busy"))
    assert FAILURES.in_backoff(failure._replace(at=time.time() - ago)) is pauses
    assert not FAILURES.in_backoff(None)


@pytest.mark.parametrize("ago", [-5, 5])
def test_failed_sign_in_of_the_future_stops_no_tab(ago):
    failure = FAILURES.of(LoginTimeout("too late"))
    assert FAILURES.in_login_cooldown(failure._replace(at=time.time() - ago)) is (ago > 0)


def test_end_of_a_session_leaves_no_token_and_says_why():
    ended = FAILURES.ended(Entry({}, refresh_token="r", spending=("x",)), "revoked")
    assert (ended.refresh_token, ended.spending) == ("", None)
    assert ended.refused.message == "the session is over (revoked)"


def test_wait_for_a_lock_names_the_entry_by_its_first_twelve_characters():
    error = FAILURES.lock_timeout("process 7", "0123456789abcdef", "/cache")
    assert error.message.startswith("process 7 has held entry 0123456789ab of /cache for more than ")


@pytest.mark.parametrize(("ago", "left_alone"), [(9.5, True), (10.5, False)])
def test_endpoint_that_failed_is_left_alone_for_ten_seconds(ago, left_alone):
    failure = FAILURES.of(TokenEndpointError("busy"))
    assert FAILURES.in_backoff(failure._replace(at=time.time() - ago)) is left_alone
