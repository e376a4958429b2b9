"""RFC 6749 §4.4, and the errors of the token endpoint."""

import pytest

CLIENT = "databricks-cli"


def test_a_service_principal_gets_a_token_for_itself(box, client):
    answer = client.service_principal().json()
    assert "refresh_token" not in answer
    assert client.me(answer["access_token"]).json()["userName"] == box.client_id
    assert box.counters["token.client_credentials"] == 1


@pytest.mark.parametrize("who", ["known", "unknown"])
def test_wrong_credentials_are_refused_in_the_same_words(box, client, who):
    name = box.client_id if who == "known" else "stranger"
    answer = client.token(auth=(name, "wrong"), grant_type="client_credentials")
    client.assert_refused(answer, 401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert answer.json()["error_description"] == "Client authentication failed"
    assert (box.counters["refusals"], box.counters["token.requests"]) == (1, 1)


def test_the_secret_is_accepted_by_http_basic_only(box, client):
    form = {"client_id": box.client_id, "client_secret": box.client_secret}
    client.assert_refused(client.token(grant_type="client_credentials", **form), 401, "invalid_client")


def test_a_service_principal_cannot_have_offline_access(client):
    client.assert_refused(client.service_principal(scope="offline_access"), 400, "invalid_scope")


def test_a_public_client_has_no_client_credentials(client):
    client.assert_refused(client.token(grant_type="client_credentials", client_id=CLIENT), 401, "invalid_client")


def test_an_unknown_grant_type_is_refused(client):
    client.assert_refused(client.token(grant_type="password", client_id=CLIENT), 400, "unsupported_grant_type")


def test_credentials_in_the_query_are_refused(box, client):
    url = f"{box.host}/oidc/v1/token?client_id={box.client_id}&client_secret={box.client_secret}"
    answer = client.http.post(url, data={"grant_type": "client_credentials"}, timeout=10)
    client.assert_refused(answer, 400, "invalid_request")


def test_a_repeated_parameter_is_refused(box, client):
    form = [("grant_type", "client_credentials"), ("scope", "sql"), ("scope", "all-apis")]
    auth = (box.client_id, box.client_secret)
    answer = client.http.post(f"{client.issuer}/v1/token", data=form, auth=auth, timeout=10)
    client.assert_refused(answer, 400, "invalid_request")


def test_a_registered_confidential_client_signs_people_in_with_its_secret(box, client):
    redirect = "https://app.example/callback"
    box.register_client("an-app", client_secret="a-secret", redirect_uris=[redirect], scopes=["sql"])
    code = client.sign_in(client_id="an-app", redirect_uri=redirect, scope="sql")["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect}
    form["code_verifier"] = client.verifier
    client.assert_refused(client.token(**form, client_id="an-app"), 401, "invalid_client")
    assert client.token(**form, auth=("an-app", "a-secret")).status_code == 200
