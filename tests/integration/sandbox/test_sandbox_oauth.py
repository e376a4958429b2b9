"""The unmodified Databricks SDK and SQL connector against the sandbox."""

import http.server
import threading
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from databricks import sql
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import Unauthenticated
from databricks.sdk.oauth import OAuthClient, get_workspace_endpoints

from lakekey.sandbox import Sandbox
from support.processes import passes


@pytest.fixture
def box(monkeypatch, tmp_path):
    with Sandbox() as box:
        for name, value in box.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "none"))
        yield box


def workspace(box, **options):
    options = {"client_id": box.client_id, "client_secret": box.client_secret, "auth_type": "oauth-m2m", **options}
    return WorkspaceClient(host=box.host, **options)


def access_token(box, scope="all-apis"):
    form = {"grant_type": "client_credentials", "scope": scope}
    answer = requests.post(
        f"{box.host}/oidc/v1/token",
        data=form,
        auth=(box.client_id, box.client_secret),
        verify=box.ca_file,
        timeout=10,
    )
    return answer.json()["access_token"]


def test_the_sdk_signs_a_service_principal_in(box):
    me = workspace(box).current_user.me()
    assert (me.user_name, me.active, me.display_name) == (box.client_id, True, "Sandbox service principal")
    assert box.counters["token.client_credentials"] == 1


def test_the_sdk_understands_the_refusal_of_a_revoked_token(box):
    client = workspace(box)
    client.current_user.me()
    box.revoke()
    with pytest.raises(Unauthenticated, match="Invalid access token"):
        client.current_user.me()


def test_the_sdk_understands_a_wrong_secret(box):
    with pytest.raises(ValueError, match="invalid_client: Client authentication failed"):
        workspace(box, client_secret="wrong").current_user.me()


def test_the_sdk_finds_the_cluster(box):
    assert workspace(box).clusters.get(box.cluster_id).state.value == "RUNNING"


def test_the_sdks_own_oauth_client_signs_a_person_in_and_refreshes(box):
    endpoints = get_workspace_endpoints(box.host)
    answers = []

    class Callback(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answers.append({key: value[0] for key, value in parse_qs(urlsplit(self.path).query).items()})
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Callback) as callback:
        thread = threading.Thread(target=callback.serve_forever, args=(0.05,))
        thread.start()
        redirect = f"http://127.0.0.1:{callback.server_port}"
        client = OAuthClient(endpoints, redirect, "databricks-cli", scopes=["all-apis", "offline_access"])
        consent = client.initiate_consent()
        person = box.person("grace@example.com")
        assert person(consent.authorization_url), person.problem
        callback.shutdown()
        thread.join()
    session = consent.exchange_callback_parameters(answers[0])
    first = session.token()
    second = session.refresh()
    assert box.stored_refresh_tokens("grace@example.com") == [second.refresh_token]
    assert first.refresh_token != second.refresh_token
    assert WorkspaceClient(host=box.host, token=second.access_token).current_user.me().user_name == "grace@example.com"


def test_the_sql_connector_runs_a_query_as_the_tokens_subject(box):
    with (
        sql.connect(access_token=access_token(box, "sql"), **box.connect_args()) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("select current_user(), 1 + 1")
        assert [tuple(row) for row in cursor.fetchall()] == [(box.client_id, 2)]
    assert box.counters["statements"] == 1


def test_the_sql_connector_understands_a_refusal(box):
    token = access_token(box)
    box.expire()
    with pytest.raises(sql.exc.RequestError) as caught:
        sql.connect(access_token=token, **box.connect_args())
    assert caught.value.context["http-code"] == 401
    assert "Token is expired" in str(caught.value)


def test_the_pytest_fixtures_serve_a_users_own_test(tmp_path):
    passes(
        tmp_path,
        "import os, requests\n"
        "def test_it(lakekey_environment, lakekey_person):\n"
        "    assert os.environ['DATABRICKS_HOST'] == lakekey_environment.host\n"
        "    assert lakekey_person.user == 'ada@example.com'\n"
        "    url = lakekey_environment.host + '/.well-known/databricks-config'\n"
        "    assert requests.get(url, timeout=10).json()['host_type'] == 'workspace'\n"
        "    assert lakekey_environment.log[0].route == 'config'\n",
    )


def test_what_the_machine_says_of_another_workspace_is_out_of_a_users_tests_sight(tmp_path, monkeypatch):
    for name in ("DATABRICKS_CLIENT_ID", "DATABRICKS_HTTP_PATH", "LAKEKEY_KEY_FILE", "ACTIONS_ID_TOKEN_REQUEST_URL"):
        monkeypatch.setenv(name, "/of/another/workspace")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "another-identity")
    passes(
        tmp_path,
        "import lakekey\n"
        "def test_it(lakekey_environment):\n"
        "    p = lakekey.provider()\n"
        "    assert p.target.http_path == lakekey_environment.http_path\n"
        "    assert p.headers()\n"
        "    assert lakekey_environment.counters['logins'] == 1\n",
    )
