"""What the REST routes ask of a bearer token."""

import json

import pytest

from lakekey.sandbox import Sandbox
from support.waiting import until


def test_without_a_credential_the_service_says_so(client):
    answer = client.get("/api/2.0/preview/scim/v2/Me")
    assert answer.status_code == 401
    assert answer.json()["message"].startswith("Credential was not sent or was of an unsupported type")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="DatabricksRealm"'


def test_a_foreign_token_is_refused(client):
    answer = client.me("eyJhbGciOiJub25lIn0.e30.")
    assert (answer.status_code, answer.json()["message"]) == (401, "Invalid access token.")


@pytest.mark.parametrize("status", [401, 403])
def test_an_expired_token_is_refused(status, client_of):
    with Sandbox(expired_status=status) as box:
        client = client_of(box)
        access = client.tokens()["access_token"]
        assert client.me(access).status_code == 200
        assert box.expire("ada@example.com") == 1
        answer = client.me(access)
        assert (answer.status_code, answer.json()["message"]) == (status, "Token is expired.")
        assert box.counters["unauthorized"] == 1


def test_a_token_dies_with_its_lifetime(box, client):
    box.set_lifetime(1)
    tokens = client.tokens()
    assert tokens["expires_in"] == 1
    until(lambda: client.me(tokens["access_token"]).status_code != 200)
    assert client.refresh(tokens["refresh_token"]).status_code == 200


def test_a_refresh_token_is_not_a_bearer_token(client):
    assert client.me(client.tokens()["refresh_token"]).status_code == 401


def test_sql_wants_a_scope_for_sql(box, client):
    access = client.tokens(scope="openid")["access_token"]
    headers = {"Authorization": f"Bearer {access}"}
    assert client.http.post(box.host + box.http_path, headers=headers, timeout=10).status_code == 403


def test_the_cluster_is_there_and_another_is_not(box, client):
    headers = {"Authorization": f"Bearer {client.tokens()['access_token']}"}
    found = client.get(f"/api/2.1/clusters/get?cluster_id={box.cluster_id}", headers=headers)
    assert found.json()["state"] == "RUNNING"
    missing = client.get("/api/2.1/clusters/get?cluster_id=another", headers=headers)
    assert (missing.status_code, missing.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_telemetry_is_kept_for_inspection(box, client):
    body = {"uploadTime": 1, "items": [], "protoLogs": ["{}"]}
    answer = client.http.post(f"{box.host}/telemetry-unauth", json=body, timeout=10)
    assert answer.json()["numProtoSuccess"] == 1
    assert client.http.post(f"{box.host}/telemetry-ext", json=body, timeout=10).status_code == 401
    assert [json.loads(message["body"]) for message in box.telemetry] == [body]
