"""Which redirect URIs, scopes and secrets belong to a client."""

import pytest

from lakekey_sandbox.clients import Client

LOOPBACK = Client("an-app", redirect_uris=("http://127.0.0.1:8020/callback",), scopes=("sql", "all-apis"))


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:8020/callback", "http://127.0.0.1:9/callback", "http://127.0.0.1/callback"]
)
def test_a_loopback_uri_matches_with_any_port(uri):
    assert LOOPBACK.check_redirect_uri(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "https://127.0.0.1:8020/callback",
        "http://localhost:8020/callback",
        "http://127.0.0.1:8020/callback/",
        "http://127.0.0.1:8020/callback?next=evil",
        "http://127.0.0.1:8020/callback#fragment",
        "http://user@127.0.0.1:8020/callback",
        "http://127.0.0.1.evil.example:8020/callback",
        "http://127.0.0.1:99999/callback",
        "",
    ],
)
def test_nothing_else_matches(uri):
    assert not LOOPBACK.check_redirect_uri(uri)


def test_other_uris_match_exactly():
    client = Client("an-app", redirect_uris=("https://app.example:8443/callback",))
    assert client.check_redirect_uri("https://app.example:8443/callback")
    assert not client.check_redirect_uri("https://app.example:9443/callback")


def test_a_scope_is_granted_as_a_whole_or_not_at_all():
    assert LOOPBACK.get_allowed_scope("sql all-apis") == "sql all-apis"
    assert LOOPBACK.get_allowed_scope("sql openid") is None
    assert LOOPBACK.get_allowed_scope(None) == "all-apis"


def test_a_client_shows_no_secret():
    assert "hush" not in repr(Client("an-app", "hush"))
    assert not LOOPBACK.check_client_secret("")
