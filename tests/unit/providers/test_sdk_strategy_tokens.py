"""What becomes of the tokens of the SDK's strategies, and of attempts to build one."""

import base64
import json
import logging
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from databricks.sdk.credentials_provider import OAuthCredentialsProvider

from lakekey.configuration.target import resolve
from lakekey.errors import ConfigurationError, LockTimeout, LoginRequired
from lakekey.providers import sdk_strategy
from lakekey.providers.sdk_strategy import _ONE, SdkStrategy, _Attempt
from lakekey.session.expiry import TRIAL

HOST = "https://acme.cloud.databricks.com"
PAT = resolve(environ={}, host=HOST, token="dapi-of-the-test")
RESOURCE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Databricks/workspaces/w"


class Sdk:
    """Stands for the settings that the SDK is built from: each time that it is, it has the next token, or fails."""

    def __init__(self, *tokens, host=HOST, scheme="Bearer"):
        self.tokens, self.host, self.scheme = list(tokens), host, scheme
        self.built, self.reports = 0, []

    def config(self, _target, reports):
        self.built += 1
        reports += self.reports
        token = self.tokens.pop(0)
        if isinstance(token, Exception):
            raise token
        headers = token if callable(token) else lambda: {"Authorization": f"{self.scheme} {token}"}
        return SimpleNamespace(host=self.host, _header_factory=headers)

    def redacted(self, error):
        return str(error)


def over(*tokens, target=PAT, **sdk):
    source = SdkStrategy(target)
    source._settings = Sdk(*tokens, **sdk)
    return source, source._settings


# Tokens


def jwt(**claims):
    head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, claims))
    return f"{head}.{body}.c2lnbmF0dXJl"


FOREVER = datetime(9999, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("token", "scheme", "ends"),
    [
        (jwt(exp=1893456000), "Bearer", datetime(2030, 1, 1, tzinfo=UTC)),
        (jwt(exp=1893456000), "bearer", datetime(2030, 1, 1, tzinfo=UTC)),
        (jwt(sub="ada"), "Bearer", FOREVER),
        ("dapi", "Bearer", FOREVER),
    ],
)
def test_token_ends_when_it_says_or_never(token, scheme, ends):
    source, _ = over(token, scheme=scheme)
    found = source.token()
    assert (found.access_token, found.token_type, found.expires_at) == (token, "Bearer", ends)


def test_strategy_that_has_no_token_says_what_to_call():
    source, _ = over("YWRhOng=", scheme="Basic")
    with pytest.raises(ConfigurationError) as caught:
        source.token()
    assert (caught.value.hint, caught.value.profile) == ("use headers()", HOST)


def test_strategy_is_built_once_and_its_headers_are_the_callers_own():
    source, sdk = over("one")
    source.headers().clear()
    assert source.headers() == source.unattended_headers() == {"Authorization": "Bearer one"}
    assert sdk.built == 1


def test_sign_in_and_sign_out_have_the_strategy_built_again():
    source, sdk = over("one", "two", "three")
    source.login(switch=False)
    assert source.logout() is False
    assert sdk.built == 0, "there is none yet"
    source.headers()
    source.login(switch=False)
    assert source.headers() == {"Authorization": "Bearer two"}
    assert source.logout() is False
    assert source.headers() == {"Authorization": "Bearer three"}


def test_strategy_tells_neither_a_person_nor_when_it_is_fresh():
    source, _ = over("one")
    source.headers()
    assert (source.is_fresh, source.needs_login(), source.identity(), source.stored()) == (False, False, None, None)


def test_sdk_gets_the_strategy_itself_and_a_token_where_that_has_one():
    plain = over(lambda: {"Authorization": "Bearer one"})[0].sdk_headers()
    assert plain() == {"Authorization": "Bearer one"}
    assert not isinstance(plain, OAuthCredentialsProvider)
    strategy = OAuthCredentialsProvider(lambda: {"Authorization": "Bearer one"}, lambda: "the SDK's token")
    oauth = over(strategy)[0].sdk_headers()
    assert (oauth(), oauth.oauth_token()) == ({"Authorization": "Bearer one"}, "the SDK's token")


def test_host_that_azure_alone_knows_is_asked_for_once():
    azure = resolve(environ={}, auth_type="azure-cli", azure_workspace_resource_id=RESOURCE)
    source, sdk = over("one", target=azure, host="https://adb-1.2.azuredatabricks.net/")
    assert source.target.host == ""
    assert source.located().host == source.target.host == "https://adb-1.2.azuredatabricks.net"
    source.located()
    source.headers()
    assert sdk.built == 1


def test_target_whose_host_is_known_is_not_asked_for():
    source, sdk = over("one")
    assert source.located() is PAT
    assert sdk.built == 0
    source.headers()
    assert source.target is PAT


def test_strategy_that_leads_to_another_host_gives_no_header():
    source, _ = over("one", host="https://another.example.com")
    with pytest.raises(ConfigurationError, match=r"https://another\.example\.com alone"):
        source.headers()


# Refused tokens


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(sdk_strategy, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def test_refused_token_is_replaced_unless_another_one_is_here():
    source, sdk = over("one", "two")
    assert source.invalidate("another", ask=True)
    assert sdk.built == 1
    assert source.invalidate("one", ask=True)
    assert source.invalidate("one", ask=True)
    assert (source.headers(), sdk.built) == ({"Authorization": "Bearer two"}, 2)


def test_new_token_that_is_refused_too_is_kept_until_its_trial_is_over(clock):
    source, sdk = over("one", "two", "three")
    assert source.invalidate("one", ask=True)
    clock.now += TRIAL - 1
    assert not source.invalidate("two", ask=True)
    assert sdk.built == 2
    clock.now += 2
    assert source.invalidate("two", ask=True)
    assert source.headers() == {"Authorization": "Bearer three"}


def test_new_token_that_has_served_is_replaced_at_once():
    source, _ = over("one", "two", "three")
    assert source.invalidate("one", ask=True)
    source.served("two")
    assert source.invalidate("two", ask=True)
    assert source.headers() == {"Authorization": "Bearer three"}


def test_strategy_that_has_the_same_token_again_says_so_and_is_not_built_each_time(clock):
    source, sdk = over("one", "one", "one")
    for _ in range(2):
        with pytest.raises(LoginRequired, match="pat has no other"):
            source.invalidate("one", ask=True)
    assert sdk.built == 2
    clock.now += TRIAL + 1
    with pytest.raises(LoginRequired):
        source.invalidate("one", ask=True)
    assert sdk.built == 3


# Attempts


def test_attempt_that_fails_is_followed_by_another(caplog):
    source, sdk = over(ValueError("no"), "one")
    sdk.reports = ["the host does not answer"]
    with pytest.raises(ConfigurationError):
        source.headers()
    assert [record.getMessage() for record in caplog.records] == [f"{HOST}: the host does not answer"]
    assert source.headers() == {"Authorization": "Bearer one"}


@pytest.mark.usefixtures("ci_job")
def test_identity_of_an_unattended_run_is_announced_once(caplog):
    source, _ = over("one")
    with caplog.at_level(logging.INFO, "lakekey.automation"):
        source.headers()
        source.headers()
    assert len(caplog.records) == 1


def waited(source, seconds):
    with pytest.raises((ConfigurationError, LockTimeout)) as caught:
        source._wait(source._attempts[_ONE], time.monotonic() + seconds)
    return caught.value


@pytest.fixture
def source():
    source, _ = over("one")
    source._attempts[_ONE] = _Attempt()
    return source


def test_error_of_an_attempt_is_that_of_each_thread_that_waits(source):
    error = source._attempts[_ONE].error = ConfigurationError("no", hint="x")
    source._attempts[_ONE].finished.open()
    found = waited(source, 60)
    assert (type(found), found.message) == (ConfigurationError, "no")
    assert found is not error


def test_attempt_that_fails_tells_those_that_wait_its_error():
    source, sdk = over()
    attempts = []

    def fail(*_):
        attempts.append(source._attempts[_ONE])
        raise ValueError("no")

    sdk.config = fail
    with pytest.raises(ConfigurationError) as caught:
        source.headers()
    assert attempts[0].error is caught.value
    assert attempts[0].finished.wait(0)


def test_attempt_that_does_not_end_is_given_up(source):
    assert isinstance(waited(source, 0), LockTimeout)
    assert source.headers() == {"Authorization": "Bearer one"}


def test_attempt_that_has_ended_makes_room(source):
    source._attempts[_ONE].finished.open()
    assert source.headers() == {"Authorization": "Bearer one"}
    assert source._attempts == {}


def test_attempt_of_the_process_that_forked_this_one_is_not_waited_for(source):
    source._attempts[_ONE].process = -1
    assert source.headers() == {"Authorization": "Bearer one"}


def test_attempt_of_another_thread_is_not_removed(source):
    source._remove(_Attempt())
    assert _ONE in source._attempts


@pytest.mark.parametrize("name", ["holds_a_lock", "cannot_wait", "importing", "is_inside_call_of"])
def test_code_that_may_not_wait_gets_an_error_at_once(source, monkeypatch, name):
    monkeypatch.setattr(sdk_strategy, name, lambda *_: True)
    assert isinstance(waited(source, 60), LockTimeout)
    assert _ONE in source._attempts, "the attempt goes on"


@pytest.mark.parametrize("name", ["amid_locked_step", "is_inside_call_of"])
def test_code_that_may_not_call_the_sdk_gets_an_error_at_once(monkeypatch, name):
    source, sdk = over("one")
    monkeypatch.setattr(sdk_strategy, name, lambda *_: True)
    with pytest.raises(LockTimeout):
        source.headers()
    assert sdk.built == 0
