"""An authorization server's metadata is believed only as far as RFC 8414 and RFC 9700 let it."""

import pytest

from support.program import lakekey


@pytest.mark.parametrize("name", ["issuer", "authorization_endpoint", "token_endpoint", "revocation_endpoint"])
def test_an_endpoint_at_another_host_is_not_used(oidc_server, settings, name):
    oidc_server.fault("discovery", "edit", times=None, set={name: "https://evil.example.com/oidc"})
    with lakekey("login", environment=settings) as program:
        status, _, errors = program.ends()
    assert status == 1
    assert f"a foreign {name} (evil.example.com)" in errors
    assert "/authorize?" not in errors


def test_an_endpoint_without_tls_is_not_used(oidc_server, settings):
    oidc_server.fault("discovery", "edit", times=None, set={"token_endpoint": "http://w.example.com/token"})
    with lakekey("login", environment=settings) as program:
        status, _, errors = program.ends()
    assert status == 2
    assert "not a secure address" in errors


@pytest.mark.parametrize("kind", ["html", "garbage", "empty", "truncated"])
def test_metadata_that_is_none_ends_the_login_before_a_browser_opens(oidc_server, settings, kind):
    oidc_server.fault("discovery", kind, times=None)
    with lakekey("login", environment=settings) as program:
        status, _, errors = program.ends()
    assert status == 1
    assert oidc_server.host.removeprefix("https://") in errors
    assert "/authorize?" not in errors


def test_a_token_endpoint_that_redirects_is_not_followed(oidc_server, settings):
    oidc_server.fault("token", "status", times=None, status=307, body="", headers={"Location": "https://127.0.0.1:1/"})
    with lakekey("login", environment=settings) as program:
        oidc_server.sign_in(program.url())
        status, _, errors = program.ends()
    assert status == 1
    assert "the token endpoint answered HTTP 307" in errors
