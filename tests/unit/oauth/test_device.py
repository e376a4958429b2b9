"""The device grant: a code is asked for, and then the server, until the person is done."""

import json
import time

import pytest

from lakekey._single_flight import Commitment
from lakekey.errors import CredentialsRefused, LoginDenied, LoginFailed, TokenEndpointError
from lakekey.oauth import device
from lakekey.oauth.client import Client
from lakekey.oauth.discovery import Metadata
from lakekey.oauth.token_response import InvalidGrant
from lakekey.oauth.transport import Transport

CODE = {
    "device_code": "the-code",
    "user_code": "AB-CD",
    "verification_uri": "https://w.example.com/d",
    "interval": 0.01,
}
TOKENS = json.dumps({"access_token": "a-token", "refresh_token": "r"})
PENDING = json.dumps({"error": "authorization_pending"})


@pytest.fixture
def client(server):
    metadata = Metadata(
        server.url, f"{server.url}/authorize", f"{server.url}/token",
        device_authorization_endpoint=f"{server.url}/device",
    )  # fmt: skip
    return Client("the-client", None, ("all-apis",), Transport(), lambda: metadata)


def poll(client, server, *answers):
    """What comes of a sign-in whose token endpoint gives these answers, one after the other."""
    server.answer("/device", json.dumps(CODE))
    code = device.begin(client)
    left = iter(answers)
    # The answers stand in a row: each question moves on to the next.
    fetch = server.answer_for

    def in_turn(path):
        if path == "/token":
            server.answer(path, **next(left))
        return fetch(path)

    server.answer_for = in_turn
    commitment = Commitment()
    try:
        return device.poll(client, code, commitment, time.monotonic() + 20)
    finally:
        commitment.settled()


def refusal(error, **more):
    return {"body": json.dumps({"error": error}), "status": 400, **more}


BLIPS = {
    "an answer of a proxy": {"body": "<html>", "status": 502, "content_type": "text/html"},
    "a throttle": {"body": "{}", "status": 429},
    "the platform's own throttle": {
        "body": json.dumps({"error": "invalid_request", "error_description": "Temporarily throttled"}),
        "status": 400,
    },
    "half an answer": {"body": TOKENS[: len(TOKENS) // 2], "Content_Length": "9999"},
}


@pytest.mark.parametrize("blip", BLIPS)
def test_a_blip_does_not_cost_the_code_and_slows_the_questions(client, server, blip):
    begun = time.monotonic()
    response = poll(client, server, refusal("authorization_pending"), BLIPS[blip], {"body": TOKENS})
    assert response.access_token == "a-token"
    assert [asked.path for asked in server.asked] == ["/device", "/token", "/token", "/token"]
    assert time.monotonic() - begun >= 0.01 + 0.01 + 0.02  # RFC 8628 §3.5


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        ("access_denied", LoginDenied, "declined"),
        ("expired_token", LoginFailed, "expired before"),
        ("invalid_grant", LoginFailed, "did not accept the device code"),
        ("invalid_client", CredentialsRefused, "client id"),
        ("unheard_of", TokenEndpointError, "unheard_of"),
    ],
)
def test_a_refusal_ends_it(client, server, error, kind, said):
    with pytest.raises(kind, match=said) as caught:
        poll(client, server, refusal("authorization_pending"), refusal(error))
    assert not isinstance(caught.value.__context__, InvalidGrant)
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"verification_uri": "http://w.example.com"},
        {"user_code": "AB\x1b[2J"},
        {"device_code": 7},
        {"device_code": "\udcff"},
        {"user_code": None},
    ],
)
def test_device_code_that_cannot_be_shown_is_rejected(client, server, changes):
    server.answer("/device", json.dumps({**CODE, **changes}))
    with pytest.raises(TokenEndpointError, match="malformed"):
        device.begin(client)
