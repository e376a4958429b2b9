"""The authorization code grant: the request, the answer's checks, the exchange."""

import json
import time
from urllib.parse import parse_qs, urlsplit

import pytest

from lakekey.errors import LoginDenied, LoginFailed
from lakekey.oauth import authorization_code
from lakekey.oauth.client import Client
from lakekey.oauth.discovery import Metadata
from lakekey.oauth.transport import Transport

REDIRECT = "http://localhost:8020"
TOKENS = json.dumps({"access_token": "a-token", "refresh_token": "r", "expires_in": 60})


@pytest.fixture
def client(server):
    return make_client(server)


def make_client(server, *, iss=False, authorize="/authorize", **fields):
    metadata = Metadata(server.url, f"{server.url}{authorize}", f"{server.url}/token", iss_in_response=iss)
    options = {"client_id": "databricks-cli", "secret": None, "scopes": ("all-apis", "offline_access"), **fields}
    return Client(transport=Transport(), discover=lambda: metadata, **options)


def finish(client, request, **answer):
    return authorization_code.finish(client, request, answer, deadline=time.monotonic() + 5)


def query_of(url):
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_the_request_carries_pkce_state_and_scopes(client):
    request = authorization_code.begin(client, REDIRECT)
    query = query_of(request.url)
    assert query["response_type"] == "code"
    assert (query["client_id"], query["redirect_uri"]) == ("databricks-cli", REDIRECT)
    assert (query["code_challenge"], query["code_challenge_method"]) == (request.pkce.challenge, "S256")
    assert (query["state"], query["scope"]) == (request.state, "all-apis offline_access")
    assert request.pkce.verifier not in request.url


def test_a_role_goes_with_the_request(server):
    client = make_client(server, assume_group="admins", authorize="/authorize?o=1")
    query = query_of(authorization_code.begin(client, REDIRECT).url)
    assert (query["assume_group"], query["o"]) == ("admins", "1")


def test_the_code_is_exchanged_with_its_verifier(server, client):
    server.answer("/token", TOKENS)
    request = authorization_code.begin(client, REDIRECT)
    assert finish(client, request, code="a-code", state=request.state).access_token == "a-token"
    form = {name: values[0] for name, values in parse_qs(server.asked[0].body).items()}
    assert form == {
        "grant_type": "authorization_code", "code": "a-code", "redirect_uri": REDIRECT,
        "code_verifier": request.pkce.verifier, "client_id": "databricks-cli",
    }  # fmt: skip


def test_a_confidential_client_authenticates_by_basic_and_keeps_its_id_out_of_the_form(server):
    server.answer("/token", TOKENS)
    client = make_client(server, secret="dose-secret")
    finish(client, authorization_code.begin(client, REDIRECT), code="a-code")
    assert server.asked[0].headers["Authorization"].startswith("Basic ")
    assert "client_id" not in server.asked[0].body
    assert "dose-secret" not in server.asked[0].body


@pytest.mark.parametrize("issuer", ["https://evil.example.com", "", None])
def test_an_answer_of_another_issuer_is_not_exchanged(server, issuer):
    client = make_client(server, iss=True)
    answer = {"code": "a-code", **({} if issuer is None else {"iss": issuer})}
    with pytest.raises(LoginFailed, match="another authorization server"):
        finish(client, authorization_code.begin(client, REDIRECT), **answer)
    assert server.asked == []


def test_a_foreign_issuer_is_noticed_also_where_none_is_promised(server, client):
    with pytest.raises(LoginFailed, match="another authorization server"):
        finish(client, authorization_code.begin(client, REDIRECT), code="a-code", iss="https://evil.example.com")
    assert server.asked == []


def test_the_right_issuer_passes(server):
    server.answer("/token", TOKENS)
    client = make_client(server, iss=True)
    assert finish(client, authorization_code.begin(client, REDIRECT), code="a-code", iss=server.url)


def test_a_person_who_says_no_is_a_denied_login(server, client):
    with pytest.raises(LoginDenied, match="access_denied: not today") as caught:
        finish(
            client,
            authorization_code.begin(client, REDIRECT),
            error="access_denied",
            error_description="not today",
        )
    assert caught.value.hint
    assert server.asked == []


def test_any_other_error_is_a_failed_login(client):
    with pytest.raises(LoginFailed, match="invalid_scope") as caught:
        finish(client, authorization_code.begin(client, REDIRECT), error="invalid_scope")
    assert type(caught.value) is LoginFailed


def test_a_code_that_is_not_accepted_is_a_failed_login_without_the_code(server, client):
    server.answer("/token", '{"error": "invalid_grant", "error_description": "code SECRET42 is spent"}', status=400)
    with pytest.raises(LoginFailed, match=r"code \[redacted\] is spent") as caught:
        finish(client, authorization_code.begin(client, REDIRECT), code="SECRET42")
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


def test_the_repr_of_a_request_shows_neither_state_nor_verifier(client):
    request = authorization_code.begin(client, REDIRECT)
    assert repr(request) == f"AuthorizationRequest({REDIRECT})"
