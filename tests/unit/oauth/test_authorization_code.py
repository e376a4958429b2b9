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


def test_nonce_goes_only_with_a_request_for_an_id_token(server):
    assert "nonce" not in query_of(authorization_code.begin(make_client(server), REDIRECT).url)
    request = authorization_code.begin(make_client(server, scopes=("all-apis", "openid")), REDIRECT)
    assert request.nonce
    assert query_of(request.url)["nonce"] == request.nonce


def test_person_who_is_expected_is_named_to_the_server(client):
    assert query_of(authorization_code.begin(client, REDIRECT, login_hint="ada@x.org").url)["login_hint"] == "ada@x.org"
    assert "login_hint" not in query_of(authorization_code.begin(client, REDIRECT).url)


def test_extras_go_with_the_request_and_may_name_another_person(client):
    request = authorization_code.begin(
        client, REDIRECT, login_hint="ada@x.org", extras="prompt=login&domain_hint=&login_hint=eve%40x.org"
    )
    query = parse_qs(urlsplit(request.url).query, keep_blank_values=True)
    assert (query["prompt"], query["domain_hint"], query["login_hint"]) == (["login"], [""], ["eve@x.org"])


@pytest.mark.parametrize("name", ["state", "code_challenge", "redirect_uri", "scope", "request_uri", "nonce"])
def test_extras_replace_nothing_that_protects_the_sign_in(client, name):
    with pytest.raises(ValueError, match=f"{name} is not for the configuration to choose"):
        authorization_code.begin(client, REDIRECT, extras=f"prompt=login&{name}=mine")


def test_extras_that_are_not_parameters_are_refused(client):
    with pytest.raises(ValueError, match="bad query field"):
        authorization_code.begin(client, REDIRECT, extras="prompt")


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


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("invalid_scope", "fix scopes in the profile"),
        ("unauthorized_client", "see client_id in the profile"),
        ("server_error", "try again in a moment"),
        ("temporarily_unavailable", "try again in a moment"),
        ("access_denied", "agree to the request"),
    ],
)
def test_error_of_the_server_comes_with_what_to_do(client, error, advice):
    with pytest.raises(LoginFailed) as caught:
        finish(client, authorization_code.begin(client, REDIRECT), error=error)
    assert advice in caught.value.hint


def test_long_error_of_the_server_is_cut(client):
    with pytest.raises(LoginFailed) as caught:
        finish(
            client, authorization_code.begin(client, REDIRECT), error="e" * 81 + "f", error_description="d" * 301 + "f"
        )
    assert f"({'e' * 80}: {'d' * 300})" in caught.value.message


def test_a_code_that_is_not_accepted_is_a_failed_login_without_the_code(server, client):
    server.answer("/token", '{"error": "invalid_grant", "error_description": "code SECRET42 is spent"}', status=400)
    with pytest.raises(LoginFailed, match=r"code \[redacted\] is spent") as caught:
        finish(client, authorization_code.begin(client, REDIRECT), code="SECRET42")
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


def test_the_repr_of_a_request_shows_neither_state_nor_verifier(client):
    request = authorization_code.begin(client, REDIRECT)
    assert repr(request) == f"AuthorizationRequest({REDIRECT})"
