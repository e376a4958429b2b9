"""Errors as the entry keeps them, and back."""

import pytest

from lakekey.cache.entry import Failure
from lakekey.configuration.target import resolve
from lakekey.errors import CredentialsRefused, LoginDenied, LoginTimeout, TokenEndpointError
from lakekey.session.failures import Failures

FAILURES = Failures(resolve(environ={}, host="https://dbc.cloud.databricks.com"))


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
