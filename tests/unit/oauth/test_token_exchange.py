"""An exchange of an identity token: which audience it is for, what is sent, and how a refusal is explained."""

import base64
import json
import time
from urllib.parse import parse_qs

import pytest

from lakekey.errors import CredentialsRefused
from lakekey.oauth.client import Client
from lakekey.oauth.discovery import Metadata
from lakekey.oauth.token_exchange import TokenExchange
from lakekey.oauth.transport import Transport


def encoded(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


IDENTITY = f"{encoded({'alg': 'RS256'})}.{encoded({'iss': 'https://idp', 'sub': 'a-job'})}.c2ln"


class Source:
    """An identity provider that gives one token, and remembers what it was asked for."""

    place = "the variable T"

    def __init__(self):
        self.asked = []

    def fetch(self, transport, audience, *, deadline):
        self.asked.append((transport, audience))
        return IDENTITY


@pytest.fixture
def source():
    return Source()


def exchange_of(server, source, *, outside=None, audience=None, named=None, found=None):
    metadata = Metadata(server.url, f"{server.url}/authorize", f"{server.url}/token")._replace(audience=named)

    def discover():
        if found is not None:
            found.append("looked")
        return metadata

    client = Client("the-app", None, ("all-apis",), Transport(), discover)
    return TokenExchange(client, source, outside or Transport(), audience)


@pytest.mark.parametrize(
    ("audience", "named", "asked_for"),
    [("configured", "the host's", "configured"), (None, "the host's", "the host's"), (None, None, "token endpoint")],
)
def test_identity_token_is_for_the_configured_audience_the_hosts_or_the_endpoint(
    server, source, audience, named, asked_for
):
    server.answer("/token", json.dumps({"access_token": "a-token", "expires_in": 60}))
    outside = Transport()
    exchange = exchange_of(server, source, outside=outside, audience=audience, named=named)
    assert exchange.renew("", deadline=time.monotonic() + 20).access_token == "a-token"
    expected = f"{server.url}/token" if asked_for == "token endpoint" else asked_for
    assert source.asked == [(outside, expected)]
    assert parse_qs(server.asked[0].body) == {
        "grant_type": ["urn:ietf:params:oauth:grant-type:token-exchange"],
        "subject_token": [IDENTITY],
        "subject_token_type": ["urn:ietf:params:oauth:token-type:jwt"],
        "scope": ["all-apis"],
        "client_id": ["the-app"],
    }


def test_server_is_found_before_an_identity_token_is_asked_for(server, source):
    found = []
    exchange = exchange_of(server, source, found=found)
    exchange.prepare()
    assert (found, source.asked, server.asked) == (["looked"], [], [])
    assert not exchange.needs_person


def test_refusal_tells_the_source_and_what_the_token_says(server, source):
    server.answer("/token", json.dumps({"error": "invalid_grant", "error_description": "no policy"}), status=400)
    with pytest.raises(CredentialsRefused) as caught:
        exchange_of(server, source).renew("", deadline=time.monotonic() + 20)
    assert "from the variable T (no policy); it says iss 'https://idp', sub 'a-job'" in caught.value.message
    assert IDENTITY not in caught.value.message
