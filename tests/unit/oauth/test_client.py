"""A client at the token endpoint: how it authenticates, and which refusal it answers by a second request."""

import json
import time
from urllib.parse import parse_qs

import pytest

from lakekey.errors import CredentialsRefused, TokenEndpointError
from lakekey.oauth.client import Client
from lakekey.oauth.discovery import Metadata
from lakekey.oauth.transport import Transport

TOKENS = json.dumps({"access_token": "a-token", "expires_in": 60})
NO_ORIGIN = json.dumps({"error": "invalid_request", "error_description": "AADSTS9002327: Tokens issued for …"})
NEW, OLD = "dose-of-new", "dose-of-old"


def client_of(server, client_id="the-app", secret=None, **more):
    metadata = Metadata(server.url, f"{server.url}/authorize", f"{server.url}/token")
    return Client(client_id, secret, ("all-apis",), Transport(), lambda: metadata, **more)


def requested(client, **form):
    return client.token_request({"grant_type": "made-up", **form}, deadline=time.monotonic() + 20)


def refusal(error):
    return {"body": json.dumps({"error": error}), "status": 401}


def in_turn(server, *answers):
    """Have the token endpoint give these answers, one after the other."""
    left, fetch = iter(answers), server.answer_for

    def next_one(path):
        server.answer(path, **next(left))
        return fetch(path)

    server.answer_for = next_one


@pytest.mark.parametrize(("client_id", "names"), [("the-app", {"client_id": ["the-app"]}), ("", {})])
def test_public_client_names_itself_in_the_form_if_it_has_a_name(server, client_id, names):
    server.answer("/token", TOKENS)
    assert requested(client_of(server, client_id)).access_token == "a-token"
    (asked,) = server.asked
    assert parse_qs(asked.body) == {"grant_type": ["made-up"], **names}
    assert "Authorization" not in asked.headers


def test_confidential_client_authenticates_by_its_header_alone(server):
    server.answer("/token", TOKENS)
    requested(client_of(server, secret=NEW))
    (asked,) = server.asked
    assert asked.body == "grant_type=made-up"
    assert asked.headers["Authorization"].startswith("Basic ")


def test_representation_tells_the_kind_and_not_the_secret(server):
    assert repr(client_of(server)) == "Client(the-app, public)"
    assert repr(client_of(server, secret=NEW)) == "Client(the-app, confidential)"


def test_origin_is_sent_where_entra_asks_for_it(server):
    in_turn(server, {"body": NO_ORIGIN, "status": 400}, {"body": TOKENS})
    assert requested(client_of(server), redirect_uri="http://localhost:8020/x").access_token == "a-token"
    assert [asked.headers.get("Origin") for asked in server.asked] == [None, "http://localhost:8020"]


@pytest.mark.parametrize(
    ("body", "status"), [(json.dumps({"error": "invalid_request"}), 400), (NO_ORIGIN, 401), (NO_ORIGIN, 500)]
)
def test_any_other_refusal_is_not_answered_by_an_origin(server, body, status):
    server.answer("/token", body, status=status)
    with pytest.raises((TokenEndpointError, CredentialsRefused)):
        requested(client_of(server))
    assert [asked.headers.get("Origin") for asked in server.asked] == [None]


def test_older_secret_is_sent_where_the_new_one_is_not_known_yet(server):
    in_turn(server, refusal("invalid_client"), {"body": TOKENS})
    assert requested(client_of(server, secret=NEW, older_secret=OLD)).access_token == "a-token"
    first, second = (asked.headers["Authorization"] for asked in server.asked)
    assert first != second


@pytest.mark.parametrize(
    ("error", "older"), [("unauthorized_client", OLD), ("invalid_client", None), ("invalid_client", NEW)]
)
def test_older_secret_is_not_sent_where_it_does_not_help(server, error, older):
    server.answer("/token", **refusal(error))
    with pytest.raises(CredentialsRefused):
        requested(client_of(server, secret=NEW, older_secret=older))
    assert len(server.asked) == 1


def test_client_of_which_both_secrets_are_refused_is_refused(server):
    server.answer("/token", **refusal("invalid_client"))
    with pytest.raises(CredentialsRefused):
        requested(client_of(server, secret=NEW, older_secret=OLD))
    assert len(server.asked) == 2
