"""Each way in which a sign-in is refused ends in its own error, with its hint and the profile, and with no secret."""

import pickle
import traceback

import pytest
from databricks import sql

import lakekey
from lakekey import (
    ConfigurationError,
    CredentialsRefused,
    LoginDenied,
    LoginFailed,
    LoginRequired,
    LoginTimeout,
    TokenEndpointError,
    WrongIdentity,
)

SECRET = "dose-a-secret-that-must-not-be-seen"


@pytest.fixture
def box(unnamed_workspace):
    return unnamed_workspace


@pytest.fixture
def profile(box, tmp_path):
    """Writes a profile and names it."""

    def write(name, **settings):
        lines = [f"{key} = {value}" for key, value in {"host": box.host, **settings}.items()]
        (tmp_path / "databrickscfg").write_text("\n".join([f"[{name}]", "warehouse_id = w", *lines, ""]))
        return name

    return write


@pytest.fixture
def principal(profile):
    """The name of a service principal's profile."""
    return lambda **settings: profile("job", **{"client_secret": SECRET, **settings})


def everything_said(error):
    """What a program prints, logs or sends elsewhere when the error reaches it."""
    seen = [str(error), repr(error), repr(error.__dict__), pickle.dumps(error).decode("latin-1")]
    return "\n".join([*seen, *traceback.format_exception(error)])


def refusal(kind, work):
    """The error of a work that is refused, which says what a person needs and nothing else."""
    with pytest.raises(kind) as caught:
        work()
    error = caught.value
    assert type(error) is kind
    assert error.hint
    assert error.hint in str(error)
    assert str(error).startswith(f"{error.profile}: ")
    assert not isinstance(error, OSError)
    for secret in (SECRET, "code_verifier", "Basic ", "eyJ"):
        assert secret not in everything_said(error)
    return error


def test_a_wrong_secret(box, principal):
    error = refusal(CredentialsRefused, lakekey.provider(principal(client_id=box.client_id)).headers)
    assert (error.profile, error.error, error.code) == ("job", "invalid_client", "credentials_refused")
    assert "client_secret" in error.hint
    assert box.counters["token.requests"] == 1  # never tried again


def test_a_wrong_client(box, principal):
    error = refusal(CredentialsRefused, lakekey.provider(principal(client_id="unknown-app")).headers)
    assert (error.profile, error.error) == ("job", "invalid_client")


def test_a_scope_that_is_not_allowed(box, principal):
    name = principal(client_id=box.client_id, client_secret=box.client_secret, scopes="everything")
    error = refusal(CredentialsRefused, lakekey.provider(name).headers)
    assert error.error == "invalid_scope"
    assert box.client_secret not in everything_said(error)


def test_a_wrong_client_of_a_person_is_reported_before_a_browser_opens(box, profile):
    error = refusal(LoginFailed, lakekey.provider(profile("me", client_id="unknown-app")).headers)
    assert "unknown-app" in error.hint
    assert box.counters["logins"] == 0


def test_a_person_who_never_comes_is_given_up_in_time(box, profile, monkeypatch):
    monkeypatch.setenv("BROWSER", "none")
    error = refusal(LoginTimeout, lakekey.provider(profile("me", login_timeout="0.3")).headers)
    assert error.hint == "more time: LAKEKEY_LOGIN_TIMEOUT=300, or: lakekey login me --timeout 300"


@pytest.mark.parametrize("settings", [{}, {"client_id": "job", "client_secret": SECRET}], ids=["person", "principal"])
def test_an_unreachable_host(box, profile, settings):
    name = profile("far", host="https://127.0.0.1:9", **settings)
    error = refusal(TokenEndpointError, lakekey.provider(name).headers)
    assert (error.profile, error.status) == ("far", None)
    assert "127.0.0.1:9" in error.message


def test_a_certificate_that_is_not_trusted(box, principal, monkeypatch):
    for variable in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(variable)
    error = refusal(TokenEndpointError, lakekey.provider(principal(client_id=box.client_id)).headers)
    assert "ca_file" in error.hint


def test_a_ca_file_that_is_not_there(box, principal):
    name = principal(client_id=box.client_id, ca_file="/nowhere/ca.pem")
    error = refusal(ConfigurationError, lakekey.provider(name).headers)
    assert "/nowhere/ca.pem" in error.message


def test_a_login_that_the_person_cancels(box, profile, monkeypatch):
    monkeypatch.setenv("BROWSER", box.person(decision="cancel").command())
    error = refusal(LoginDenied, lakekey.provider(profile("me")).headers)
    assert error.profile == "me"
    assert "access_denied" in error.message
    assert (box.counters["cancellations"], box.counters["token.requests"]) == (1, 0)


def test_a_cancelled_login_is_not_asked_for_again_at_once(box, profile, monkeypatch):
    monkeypatch.setenv("BROWSER", box.person(decision="cancel").command())
    provider = lakekey.provider(profile("me"))
    for _ in range(2):
        refusal(LoginDenied, provider.headers)
    assert box.counters["cancellations"] == 1


def test_login_as_another_person(box, profile):
    error = refusal(WrongIdentity, lakekey.provider(profile("me", user="grace@example.com")).headers)
    assert "ada@example.com" in error.message
    assert "grace@example.com" in error.hint


def test_unattended_run_is_refused_at_once_without_a_request(box, profile, unattended):
    with pytest.warns(lakekey.ServicePrincipalMissingWarning, match="unwatched-1.*client_id and client_secret"):
        provider = lakekey.provider(profile("unwatched-1"))
    error = refusal(LoginRequired, provider.headers)
    assert (error.hint, error.profile) == ("run: lakekey login unwatched-1", "unwatched-1")
    assert box.log == []


def test_unattended_run_with_an_ended_session(box, profile, person_leaves):
    name = profile("unwatched-2")
    lakekey.provider(name).headers()
    person_leaves()
    with pytest.warns(lakekey.ServicePrincipalMissingWarning):
        provider = lakekey.provider(name)
    provider.headers()  # the cached session serves
    box.revoke()
    error = refusal(LoginRequired, lambda: provider.invalidate(provider.token().access_token))
    assert "the session is over" in error.message
    box.reset_log()
    refusal(LoginRequired, provider.login)
    assert box.log == []  # the dead token is not sent again


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"status": 503, "body": "<html>busy</html>"}, 503),
        ({"status": 200, "body": "<html>sign in to the network first</html>"}, 200),
    ],
    ids=["503", "captive portal"],
)
def test_a_token_endpoint_in_trouble(box, principal, fault, status):
    name = principal(client_id=box.client_id, client_secret=box.client_secret)
    box.fault("token", times=None, **fault)
    error = refusal(TokenEndpointError, lakekey.provider(name).headers)
    assert error.status == status


def test_lakekeys_connect_raises_the_error_itself(box, principal):
    name = principal(client_id=box.client_id)
    refusal(CredentialsRefused, lambda: lakekey.sql.connect(name, enable_telemetry=False))


def test_what_the_connector_makes_of_an_error_holds_no_secret(box, principal):
    provider = lakekey.provider(principal(client_id=box.client_id))
    box.telemetry.clear()
    with pytest.raises(Exception, match="client id or its secret") as caught:
        sql.connect(credentials_provider=provider, **box.connect_args())
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert SECRET not in repr(box.telemetry)


def test_the_sdk_raises_an_error_that_names_ours(box, principal):
    provider = lakekey.provider(principal(client_id=box.client_id))
    config = lakekey.sdk.config(provider)
    error = refusal(CredentialsRefused, config.authenticate)
    assert error.profile == "job"
