"""Who is behind new tokens, as far as their claims can be believed."""

import base64
import json

import pytest

from lakekey.login.identity import Identity, identify
from lakekey.oauth.client import Client
from lakekey.oauth.discovery import Metadata
from lakekey.oauth.token_response import TokenResponse
from lakekey.oauth.transport import Transport


def jwt(claims):
    body = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return f"e30.{base64.urlsafe_b64encode(body).decode().rstrip('=')}.sig"


def who(server, claims):
    metadata = Metadata(server.url, f"{server.url}/authorize", f"{server.url}/token")
    client = Client("the-app", None, ("all-apis",), Transport(), lambda: metadata)
    return identify(client, server.url, TokenResponse(jwt(claims), 60.0, None, None, None))


def test_the_person_is_read_from_the_access_token(server):
    found = who(server, {"sub": "Ada@example.com", "group_id": "4711"})
    assert found == Identity("Ada@example.com", frozenset({"ada@example.com"}), "4711")


@pytest.mark.parametrize("claims", [b"[" * 100_000, b"\xff", b"7", {"sub": ["ada@example.com"]}, {"sub": "4711"}])
def test_claims_that_tell_nobody_are_no_harm(server, claims):
    assert who(server, claims) == Identity(None)


def test_a_name_that_a_terminal_would_act_on_is_none(server):
    found = who(server, {"email": "\x1b[2Jada@example.com", "sub": "ada@example.com", "group_id": "47\x1b[1m"})
    assert found == Identity("ada@example.com", frozenset({"ada@example.com"}))
