"""Discovery and the signed tokens."""

from joserfc import jwt
from joserfc.jwk import KeySet

CLIENT = "databricks-cli"


def test_the_configuration_document_leads_to_the_metadata(box, client):
    config = client.get("/.well-known/databricks-config").json()
    metadata = client.http.get(f"{config['oidc_endpoint']}/.well-known/oauth-authorization-server").json()
    assert config["host_type"] == "workspace"
    assert metadata["issuer"] == config["oidc_endpoint"] == f"{box.host}/oidc"
    assert metadata["token_endpoint"] == f"{box.host}/oidc/v1/token"
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["authorization_response_iss_parameter_supported"] is True


def test_the_account_shaped_issuer_signs_people_in_under_its_own_name(box, client_of):
    issuer = f"{box.host}/oidc/accounts/{box.account_id}"
    client = client_of(box, issuer)
    metadata = client.http.get(f"{issuer}/.well-known/oauth-authorization-server").json()
    assert (metadata["issuer"], metadata["token_endpoint"]) == (issuer, f"{issuer}/v1/token")
    answer = client.sign_in()
    assert answer["iss"] == issuer
    assert client.redeem(answer["code"]).status_code == 200


def test_another_account_is_not_found(client):
    assert client.get("/oidc/accounts/another/.well-known/oauth-authorization-server").status_code == 404


def test_an_access_token_is_a_signed_jwt_of_the_workspace(box, client):
    tokens = client.tokens(assume_group="analysts")
    keys = KeySet.import_key_set(client.get("/oidc/jwks.json").json())
    claims = jwt.decode(tokens["access_token"], keys, ["RS256"]).claims
    assert claims["iss"] == f"{box.host}/oidc"
    assert claims["sub"] == "ada@example.com"
    assert claims["client_id"] == CLIENT
    assert claims["scope"] == tokens["scope"] == "all-apis offline_access"
    assert claims["aud"] == box.workspace_id
    assert claims["exp"] - claims["iat"] == tokens["expires_in"] == 3600
    assert claims["group_id"] == "analysts"
    assert "d" not in keys.keys[0].as_dict()


def test_the_openid_scope_brings_an_id_token_with_the_nonce(box, client):
    tokens = client.tokens(scope="openid sql", nonce="a-nonce")
    keys = KeySet.import_key_set(client.get("/oidc/jwks.json").json())
    claims = jwt.decode(tokens["id_token"], keys, ["RS256"]).claims
    assert claims["iss"] == f"{box.host}/oidc"
    assert (claims["sub"], claims["aud"], claims["nonce"]) == ("ada@example.com", CLIENT, "a-nonce")


def test_userinfo_says_who_the_token_speaks_for(client):
    access = client.tokens()["access_token"]
    answer = client.get("/oidc/v1/userinfo", headers={"Authorization": f"Bearer {access}"})
    assert answer.json()["sub"] == "ada@example.com"
