"""The user's token that Databricks Apps forward: in memory only, and not beyond its end."""

import base64
import json
import pickle
import time

import pytest
import requests

import lakekey
from lakekey.errors import ConfigurationError, LoginRequired
from lakekey.web import begin_sign_in, finish_sign_in, forwarded
from support.waiting import until
from support.web_people import query_of

from .conftest import ADA


def token(**claims):
    """A JWT that nothing here checks."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({}, claims)]
    return ".".join([*parts, "signature"])


def request_with(access_token, **others):
    return {"X-Forwarded-Access-Token": access_token, "X-Forwarded-Email": ADA, **others}


@pytest.fixture
def app(place, monkeypatch):
    """The environment of an app: its workspace, and a service principal that must not be taken for its user."""
    monkeypatch.setenv("DATABRICKS_HOST", place.box.host)
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", place.box.client_id)
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", place.box.client_secret)
    return place


def test_forwarded_token_acts_as_the_user_and_not_as_the_app(app):
    begun = begin_sign_in("prod", user=ADA, redirect_uri=app.redirect_uri)
    finish_sign_in("prod", answer=query_of(app.consent(begun.url)), user=ADA, browser=begun.cookie.value)
    real = lakekey.web.Portal(["prod"], url=app.url, user=lambda request: None).provider(ADA, "prod").token()
    provider = forwarded(request_with(real.access_token))
    assert (provider.identity(), provider.auth_type()) == (ADA, "external-browser")
    assert provider.token().expires_at == real.expires_at.replace(microsecond=0)
    url = f"{app.box.host}/api/2.0/preview/scim/v2/Me"
    me = requests.get(url, headers=provider.headers(), verify=app.box.ca_file, timeout=30).json()
    assert me["userName"] == ADA


def test_forwarded_token_is_written_nowhere(app, bare_machine, tmp_path):
    secret = token(exp=time.time() + 600)
    provider = forwarded(request_with(secret))
    provider.headers()
    assert secret not in repr(provider)
    kept = [path for root in (bare_machine, tmp_path) for path in root.rglob("*") if path.is_file()]
    assert not any(secret.encode() in path.read_bytes() for path in kept)
    with pytest.raises(ConfigurationError, match="stays in its process"):
        pickle.dumps(provider)


@pytest.mark.parametrize("exp", [0, time.time() - 5], ids=["long ago", "just now"])
def test_token_that_has_expired_is_refused_at_once(app, exp):
    with pytest.raises(LoginRequired, match="has expired"):
        forwarded(request_with(token(exp=exp)))


def test_provider_ends_with_its_token(app):
    provider = forwarded(request_with(token(exp=time.time() + 1.2)))
    assert provider.headers()
    with pytest.raises(LoginRequired, match="has expired"):
        until(lambda: not provider.headers())


def test_refused_token_is_not_sent_again(app):
    secret = token(exp=time.time() + 600)
    provider = forwarded(request_with(secret))
    with pytest.raises(LoginRequired, match="was refused"):
        provider.invalidate(secret)
    with pytest.raises(LoginRequired):
        provider.headers()


@pytest.mark.parametrize("value", ["", "  ", "a b", "a\r\nX: y", "\u00e4"])
def test_request_without_a_usable_token_is_refused(app, value):
    with pytest.raises(LoginRequired, match="has no token of its user"):
        forwarded(request_with(value))


@pytest.mark.parametrize("claims", [{}, {"exp": "soon"}, {"exp": True}, {"exp": 1e300}, {"exp": float("nan")}])
def test_token_that_does_not_say_when_it_expires_is_used_for_minutes_only(app, claims):
    provider = forwarded({name.lower(): value for name, value in request_with(token(**claims)).items()})
    assert 0 < provider.token().expires_at.timestamp() - time.time() <= 300


def test_scope_of_a_token_that_cannot_be_encoded_is_left_out(app):
    provider = forwarded(request_with(token(exp=time.time() + 600, scope="sql \udcff")))
    assert provider.token().scopes == ("sql",)
