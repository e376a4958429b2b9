"""The refresh grant and client credentials: what is sent, and that the server is found beforehand."""

import json
import time
from urllib.parse import parse_qs

import pytest

from lakekey.oauth.client import Client
from lakekey.oauth.discovery import Metadata
from lakekey.oauth.grants import ClientCredentials, RefreshToken
from lakekey.oauth.transport import Transport


@pytest.fixture
def found():
    """How often the authorization server was looked for."""
    return []


@pytest.fixture
def client(server, found):
    def discover():
        found.append("looked")
        return Metadata(server.url, f"{server.url}/authorize", f"{server.url}/token")

    return Client("the-app", "dose-of-app", ("all-apis", "sql"), Transport(), discover, assume_group="admins")


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        (RefreshToken, {"grant_type": ["refresh_token"], "refresh_token": ["dose-of-refresh"]}),
        (
            ClientCredentials,
            {"grant_type": ["client_credentials"], "scope": ["all-apis sql"], "assume_group": ["admins"]},
        ),
    ],
)
def test_renewal_sends_the_grants_own_fields(server, client, kind, form):
    server.answer("/token", json.dumps({"access_token": "a-token", "expires_in": 60}))
    response = kind(client).renew("dose-of-refresh", deadline=time.monotonic() + 20)
    assert response.access_token == "a-token"
    assert parse_qs(server.asked[0].body) == form


@pytest.mark.parametrize("kind", [RefreshToken, ClientCredentials])
def test_server_is_found_before_anything_is_sent(server, client, found, kind):
    kind(client).prepare()
    assert found == ["looked"]
    assert server.asked == []


def test_only_the_session_of_a_person_begins_with_one(client):
    assert RefreshToken(client).needs_person
    assert not ClientCredentials(client).needs_person
