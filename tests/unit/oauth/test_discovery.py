"""Finding the authorization server, and refusing one that points elsewhere."""

import json

import pytest

from lakekey.errors import ConfigurationError, TokenEndpointError
from lakekey.oauth.discovery import Metadata, default_issuer, discover
from lakekey.oauth.transport import Transport

ACCOUNT = "a1b2c3"


def metadata(issuer, /, **changes):
    fields = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/v1/authorize",
        "token_endpoint": f"{issuer}/v1/token",
        **changes,
    }
    return json.dumps({name: value for name, value in fields.items() if value is not None})


@pytest.fixture
def serve(server):
    """Serves both documents; returns the issuer."""

    def both(where="/oidc", /, *, endpoint=None, **changes):
        issuer = f"{server.url}{where}"
        server.answer("/.well-known/databricks-config", json.dumps({"oidc_endpoint": endpoint or issuer}))
        server.answer(f"{where}/.well-known/oauth-authorization-server", metadata(issuer, **changes))
        return issuer

    return both


def find(server, **options):
    return discover(Transport(), server.url, **options)


def test_the_hosts_own_configuration_leads_to_the_metadata(server, serve):
    issuer = serve("/somewhere", revocation_endpoint=f"{server.url}/somewhere/revoke")
    found = find(server)
    assert (found.issuer, found.token_endpoint) == (issuer, f"{issuer}/v1/token")
    assert found.revocation_endpoint == f"{issuer}/revoke"
    assert (found.userinfo_endpoint, found.iss_in_response) == (None, False)


def test_a_server_that_names_itself_in_answers_is_remembered_as_such(server, serve):
    serve(authorization_response_iss_parameter_supported=True)
    assert find(server).iss_in_response is True


def test_challenge_method_that_cannot_be_encoded_is_left_out(server, serve):
    serve(code_challenge_methods_supported=["S256", "\udcff", 7])
    assert find(server).challenge_methods == ("S256",)


def test_an_account_placeholder_is_filled_in(server, serve):
    issuer = serve(f"/oidc/accounts/{ACCOUNT}", endpoint=f"{server.url}/oidc/accounts/{{account_id}}")
    assert find(server, account_id=ACCOUNT).issuer == issuer


def test_a_placeholder_without_an_account_is_an_error_as_in_the_sdk(server, serve):
    serve(endpoint=f"{server.url}/oidc/accounts/{{account_id}}")
    with pytest.raises(ConfigurationError, match="serves several accounts, and account_id is missing"):
        find(server)


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (404, "text/plain", "no"),
        (200, "text/html", "<html>the account console</html>"),
        (200, "application/json", "<html>"),
        (200, "application/json", "[]"),
        (200, "application/json", '{"oidc_endpoint": 7}'),
        (200, "application/json", '{"oidc_endpoint": "javascript:alert(1)"}'),
        (200, "application/json", '{"oidc_endpoint": "https://"}'),
        (200, "application/json", '{"oidc_endpoint": "https://[::1"}'),
        (302, "text/html", ""),
    ],
)
def test_a_host_without_a_usable_configuration_has_the_default_issuer(server, serve, status, content_type, body):
    issuer = serve()
    server.answer("/.well-known/databricks-config", body, status=status, content_type=content_type)
    assert find(server).issuer == issuer


@pytest.mark.parametrize(
    ("status", "guessed"),
    [
        (200, False), (404, False), (407, False), (408, True), (409, False), (428, False), (429, True), (430, False),
        (499, False), (500, True), (503, True),
    ],
)  # fmt: skip
def test_default_is_a_guess_where_the_host_may_answer_better_in_a_moment(server, serve, status, guessed):
    serve()
    server.answer("/.well-known/databricks-config", "no", status=status)
    assert find(server).guessed is guessed


def test_default_of_a_host_that_does_not_answer_is_a_guess(server, serve):
    class Unreachable(Transport):
        def get(self, url, *arguments, **options):
            if url.endswith("/databricks-config"):
                raise TokenEndpointError("no answer")
            return super().get(url, *arguments, **options)

    serve()
    assert discover(Unreachable(), server.url).guessed is True


def test_what_the_host_says_is_not_a_guess(server, serve):
    issuer = serve()
    assert find(server).guessed is False
    assert find(server, discovery_url=f"{issuer}/.well-known/oauth-authorization-server").guessed is False


def test_metadata_that_an_earlier_release_has_remembered_claims_nothing():
    remembered = Metadata("issuer", "authorize", "token")
    assert (remembered.guessed, remembered.iss_in_response) == (False, False)


@pytest.mark.parametrize(
    ("said", "workspace"),
    [
        ("6051921418418893", "6051921418418893"), (6051921418418893, "6051921418418893"), ("ab12", "ab12"),
        (True, None), (None, None), (1.5, None), ([1], None), ("", None), ("12/34", None), ("12é", None),
        ("none", None), ("None", None),
    ],
)  # fmt: skip
def test_workspace_that_a_host_names_is_letters_and_digits(server, serve, said, workspace):
    issuer = serve()
    for endpoint in (issuer, None):  # the rest of what it says holds where it does not say this
        server.answer("/.well-known/databricks-config", json.dumps({"oidc_endpoint": endpoint, "workspace_id": said}))
        assert find(server).workspace_id == workspace


@pytest.mark.parametrize(
    ("said", "audience"),
    [
        ({"token_federation_default_oidc_audiences": ["first", "second"]}, "first"),
        ({"token_federation_default_oidc_audiences": ["first"], "workspace_id": "12"}, "first"),
        ({"token_federation_default_oidc_audiences": []}, ACCOUNT),
        ({"token_federation_default_oidc_audiences": "text"}, ACCOUNT),
        ({"token_federation_default_oidc_audiences": [7]}, ACCOUNT),
        ({"token_federation_default_oidc_audiences": ["\x1b[2J"]}, ACCOUNT),
        ({}, ACCOUNT),
        ({"workspace_id": "12"}, None),
    ],
)
def test_audience_is_the_first_that_is_named_else_the_account_of_a_host_without_a_workspace(
    server, serve, said, audience
):
    issuer = serve()
    server.answer("/.well-known/databricks-config", json.dumps({"oidc_endpoint": issuer, **said}))
    assert find(server, account_id=ACCOUNT).audience == audience


def test_authorization_server_of_another_host_is_logged(server, serve, caplog):
    caplog.set_level("DEBUG", "lakekey.oauth")
    serve()
    find(server)
    assert "names the authorization server" not in caplog.text
    issuer = f"http://localhost:{server.server_port}/oidc"
    serve(
        endpoint=issuer, issuer=issuer, authorization_endpoint=f"{issuer}/authorize", token_endpoint=f"{issuer}/token"
    )
    assert find(server).issuer == issuer
    assert f"{server.url} names the authorization server {issuer}" in caplog.text


@pytest.mark.parametrize("account", ["an\\u001b[2Jaccount", "an-\\ud800-account"], ids=["escape", "surrogate"])
def test_account_id_that_cannot_be_shown_is_ignored(server, serve, account):
    serve()
    body = f'{{"account_id": "{account}", "token_federation_default_oidc_audiences": ["{account}"]}}'
    server.answer("/.well-known/databricks-config", body)
    assert (find(server).account_id, find(server).audience) == (None, None)


def test_default_issuers():
    assert default_issuer("https://dbc.cloud.databricks.com", ACCOUNT) == "https://dbc.cloud.databricks.com/oidc"
    account = "https://accounts.cloud.databricks.com"
    assert default_issuer(account, ACCOUNT) == f"{account}/oidc/accounts/{ACCOUNT}"
    assert default_issuer(account, None) == f"{account}/oidc"


@pytest.mark.parametrize("name", ["issuer", "authorization_endpoint", "token_endpoint", "revocation_endpoint"])
def test_a_foreign_endpoint_is_refused(server, serve, name):
    serve(**{name: "https://evil.example.com/oidc"})
    with pytest.raises(TokenEndpointError, match=f"names a foreign {name} .evil.example.com.") as caught:
        find(server)
    assert "do not sign in" in caught.value.hint


def test_an_endpoint_in_clear_is_refused(server, serve):
    serve(token_endpoint="http://workspace.example.com/token")
    with pytest.raises(ConfigurationError, match="not a secure address"):
        find(server)


@pytest.mark.parametrize(
    "path", ["/v1/authorize#x", "/v1/author ize", "/v1/\x1b[2Jauthorize", "/v1/\nauthorize", "/v1/autorisé", "[/"]
)
def test_an_endpoint_that_is_not_a_plain_address_is_refused(server, serve, path):
    serve(authorization_endpoint=f"{server.url}{path}")
    with pytest.raises(TokenEndpointError, match="has a malformed authorization_endpoint") as caught:
        find(server)
    assert str(caught.value).isprintable()


def test_a_configured_document_whose_address_is_none_is_an_error_of_the_configuration(server):
    with pytest.raises(ConfigurationError, match="malformed"):
        find(server, discovery_url="https://[w.example.com/oidc")


@pytest.mark.parametrize("name", ["issuer", "authorization_endpoint", "token_endpoint"])
def test_metadata_that_lacks_an_endpoint_is_refused(server, serve, name):
    serve(**{name: None})
    with pytest.raises(TokenEndpointError, match=f"lacks {name}"):
        find(server)


@pytest.mark.parametrize(
    ("status", "content_type"), [(404, "application/json"), (200, "text/html"), (503, "text/html")]
)
def test_a_host_without_metadata_is_an_error_that_says_so(server, serve, status, content_type):
    serve()
    server.answer("/oidc/.well-known/oauth-authorization-server", "x", status=status, content_type=content_type)
    with pytest.raises(TokenEndpointError, match="no authorization server metadata") as caught:
        find(server)
    assert (caught.value.status, bool(caught.value.hint)) == (status, True)


def test_a_configured_document_is_the_only_one_that_is_asked_for(server, serve):
    issuer = serve()
    url = f"{issuer}/.well-known/oauth-authorization-server"
    assert find(server, discovery_url=url).issuer == issuer
    assert [f"{server.url}{asked.path}" for asked in server.asked] == [url]
