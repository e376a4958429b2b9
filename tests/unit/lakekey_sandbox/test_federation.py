"""RFC 8693: foreign tokens for tokens of the workspace."""

import time

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

EXCHANGE = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
}


IDP = "https://idp.example"


def foreign_token(box, key, algorithm="RS256", **changes):
    claims = {
        "iss": IDP,
        "sub": "ada@example.com",
        "aud": box.account_id,
        "exp": int(time.time()) + 60,
        **changes,
    }
    return jwt.encode({"alg": algorithm, "kid": key.kid}, claims, key, [algorithm])


@pytest.fixture(scope="module")
def idp_key():
    return RSAKey.generate_key(2048, auto_kid=True)


def test_a_trusted_issuers_token_is_exchanged_for_the_user_it_names(box, client, idp_key):
    box.trust_issuer(IDP, jwks={"keys": [idp_key.as_dict(private=False)]})
    answer = client.token(**EXCHANGE, subject_token=foreign_token(box, idp_key), scope="sql").json()
    assert answer["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    assert answer["scope"] == "sql"
    assert client.me(answer["access_token"]).json()["userName"] == "ada@example.com"
    assert box.counters["token.token_exchange"] == 1


def test_a_workload_identity_stands_for_its_service_principal(box, client):
    key = ECKey.generate_key("P-256", auto_kid=True)
    box.trust_issuer(IDP, public_key=key.as_pem(private=False), client_id=box.client_id, subject="repo:main")
    token = foreign_token(box, key, "ES256", sub="repo:main")
    answer = client.token(**EXCHANGE, subject_token=token, client_id=box.client_id).json()
    assert client.me(answer["access_token"]).json()["userName"] == box.client_id
    client.assert_refused(client.token(**EXCHANGE, subject_token=token), 400, "invalid_grant")


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"aud": "another-account"},
        {"exp": 1},
        {"exp": None},
        {"sub": "mallory@example.com"},
    ],
)
def test_a_foreign_token_that_does_not_fit_is_refused(box, client, idp_key, changes):
    box.trust_issuer(IDP, jwks={"keys": [idp_key.as_dict(private=False)]})
    token = foreign_token(box, idp_key, **changes)
    client.assert_refused(client.token(**EXCHANGE, subject_token=token), 400, "invalid_grant")


def test_a_foreign_token_with_another_signature_is_refused(box, client, idp_key):
    box.trust_issuer(IDP, jwks={"keys": [idp_key.as_dict(private=False)]})
    token = foreign_token(box, RSAKey.generate_key(2048, auto_kid=True))
    client.assert_refused(client.token(**EXCHANGE, subject_token=token), 400, "invalid_grant")


def test_a_token_of_the_workspace_comes_back_as_it_is_on_request(client):
    access = client.tokens()["access_token"]
    form = {**EXCHANGE, "subject_token": access, "return_original_token_if_authenticated": "true"}
    assert client.token(**form).json()["access_token"] == access
