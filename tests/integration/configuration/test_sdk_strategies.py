"""The SDK's own ways of signing in, behind the same provider."""

import base64
import json
import os
import pickle
import subprocess
import sys
import threading
import time
import traceback
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from databricks import sql
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.environments import AzureEnvironment

import lakekey
from lakekey import ConfigurationError, LoginRequired, TokenEndpointError
from support.tls import write_certificates

PAT = "dapi0123456789abcdef"


@pytest.fixture
def box(lakekey_environment):
    return lakekey_environment


@pytest.fixture
def access_token(box):
    form = {"grant_type": "client_credentials", "scope": "all-apis"}
    credentials = (box.client_id, box.client_secret)
    url = f"{box.host}/oidc/v1/token"
    token = requests.post(url, data=form, auth=credentials, verify=box.ca_file, timeout=10).json()["access_token"]
    box.reset_log()
    return token


@pytest.fixture
def metadata_service(access_token):
    """The metadata service of a tool that signs in for others; it counts how often it is asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.headers.get("X-Databricks-Host"))
            answer = {"access_token": access_token, "token_type": "Bearer", "expires_on": int(time.time()) + 3000}
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/token", asked
    server.shutdown()
    server.server_close()


def test_a_personal_access_token_where_it_is_named(box, monkeypatch):
    monkeypatch.setenv("DATABRICKS_TOKEN", PAT)
    p = lakekey.provider(auth_type="pat")
    assert isinstance(p, lakekey.Provider)
    assert (p.auth_type(), p(), p.headers()) == ("pat", p(), {"Authorization": f"Bearer {PAT}"})
    assert p.token().access_token == PAT
    assert p.token().expires_at.year == 9999
    assert PAT not in repr(p) + repr(p.token()) + repr(p.target)


@pytest.mark.parametrize(("end", "year"), [("1800000000.5", 2027), ("0", 1970), ("-1", 1970), ("1" * 40, 9999)])
def test_token_ends_when_it_says_so_if_it_names_a_date(box, end, year):
    body = base64.urlsafe_b64encode(b'{"exp": %s}' % end.encode()).decode().rstrip("=")
    assert lakekey.provider(token=f"e30.{body}.c2ln").token().expires_at.year == year


def test_a_token_given_as_an_argument_names_itself(box, monkeypatch):
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", box.client_id)
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", box.client_secret)
    assert lakekey.provider(token=PAT).headers() == {"Authorization": f"Bearer {PAT}"}


def test_user_name_and_password(box):
    p = lakekey.provider(username="ada", password="open sesame")
    assert p.auth_type() == "basic"
    assert p.headers()["Authorization"].startswith("Basic ")
    with pytest.raises(ConfigurationError, match="something other than an access token"):
        p.token()


def test_the_metadata_service_serves_the_unmodified_connectors(box, metadata_service, access_token):
    url, asked = metadata_service
    p = lakekey.provider(metadata_service_url=url)
    with sql.connect(credentials_provider=p, **box.connect_args()) as connection, connection.cursor() as cursor:
        cursor.execute("select current_user()")
        assert cursor.fetchone()[0] == box.client_id
    client = WorkspaceClient(config=lakekey.sdk.config(p))
    assert client.current_user.me().user_name == box.client_id
    assert client.config.auth_type == "metadata-service"
    assert set(asked) == {box.host}
    assert len(asked) == 1  # the SDK keeps the token while it lives
    assert p.token().access_token == access_token


def test_the_databricks_cli_is_asked_in_the_sdks_way(box, access_token, monkeypatch, tmp_path):
    expiry = (datetime.now(UTC) + timedelta(hours=1)).astimezone().isoformat(timespec="microseconds")
    answer = json.dumps({"access_token": access_token, "token_type": "Bearer", "expiry": expiry})
    cli = tmp_path / "databricks"
    version = json.dumps({"Version": "0.280.0", "Major": 0, "Minor": 280, "Patch": 0})
    cli.write_text(
        f"#!{sys.executable}\nimport sys\nprint({version!r} if 'version' in sys.argv else {answer!r})\n# {'x' * 1100000}"
    )
    cli.chmod(0o700)
    p = lakekey.provider(auth_type="databricks-cli", databricks_cli_path=str(cli))
    assert p.headers() == {"Authorization": f"Bearer {access_token}"}


def without_a_ca_in_the_environment(monkeypatch):
    for variable in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(variable, raising=False)


def test_a_private_ca_of_the_profile_holds_for_the_look_at_the_host(box, monkeypatch):
    without_a_ca_in_the_environment(monkeypatch)
    p = lakekey.provider(token=PAT, ca_file=box.ca_file)
    began = time.monotonic()
    assert p.headers() == {"Authorization": f"Bearer {PAT}"}
    assert time.monotonic() - began < 10  # the SDK alone gives up after 30 s
    assert [entry.path for entry in box.log] == ["/.well-known/databricks-config"]
    config = p._source._strategy.config
    said = requests.get(f"{box.host}/.well-known/databricks-config", verify=box.ca_file, timeout=10).json()
    assert (config.account_id, config.workspace_id) == (said["account_id"], said["workspace_id"])
    assert config.discovery_url == f"{box.host}/oidc/.well-known/oauth-authorization-server"


def test_a_strategy_works_on_where_the_host_is_not_trusted(box, monkeypatch, tmp_path, caplog):
    without_a_ca_in_the_environment(monkeypatch)
    other = tmp_path / "other"
    other.mkdir()
    p = lakekey.provider(token=PAT, ca_file=str(write_certificates(other).ca))
    began = time.monotonic()
    assert p.headers() == {"Authorization": f"Bearer {PAT}"}
    assert time.monotonic() - began < 10
    assert "certificate verify failed" in caplog.text


def test_what_the_sdk_finds_by_itself_is_found_with_a_ca_file_too(box):
    """The environment's CA leads the SDK there as well: both find the same."""
    alone, led = lakekey.provider(token=PAT), lakekey.provider(token=PAT, ca_file=box.ca_file)
    assert alone.headers() == led.headers()
    assert type(alone._source._strategy.config) is not type(led._source._strategy.config)
    for name in ("account_id", "workspace_id", "cloud", "discovery_url", "auth_type", "host"):
        assert getattr(led._source._strategy.config, name) == getattr(alone._source._strategy.config, name), name
    assert led._source._strategy.config.account_id


def test_what_is_configured_for_others_does_not_disturb_the_strategy(box, monkeypatch, tmp_path):
    profiles = tmp_path / "databrickscfg"
    profiles.write_text(f"[prod]\nhost = {box.host}\ntoken = {PAT}\nauth_type = pat\n")
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", "an-app")
    monkeypatch.setenv("DATABRICKS_CONFIG_PROFILE", "gone")
    assert lakekey.provider("prod").headers() == {"Authorization": f"Bearer {PAT}"}


def test_a_strategy_that_finds_nothing_says_what_it_lacks(box):
    with pytest.raises(ConfigurationError, match=r"pat: .*cannot configure default credentials") as caught:
        lakekey.provider(auth_type="pat").headers()
    assert (caught.value.profile, caught.value.hint) == (
        box.host,
        f"run: lakekey doctor --host {box.host} --auth-type pat",
    )


def test_a_strategy_that_fails_keeps_its_secret(box):
    secret = "http://127.0.0.1:1/a-secret-path"
    p = lakekey.provider(metadata_service_url=secret)
    with pytest.raises((TokenEndpointError, ConfigurationError)) as caught:
        p.headers()
    assert secret not in "".join(traceback.format_exception(caught.value))


def test_a_strategy_that_cannot_assume_a_role_is_refused_before_anything_is_sent(box):
    with pytest.raises(ConfigurationError, match=r"group_id .* which pat cannot assume"):
        lakekey.provider(token=PAT, group_id="auditors")
    assert box.log == []


def test_a_refused_token_that_cannot_be_renewed_is_an_end(box):
    p = lakekey.provider(token=PAT)
    with pytest.raises(LoginRequired, match="pat has no other"):
        p.invalidate(PAT)


def test_a_provider_pickles_without_its_secret_and_finds_it_where_it_wakes(box, monkeypatch):
    pickled = pickle.dumps(lakekey.provider(token=PAT))
    assert PAT.encode() not in pickled
    with pytest.raises(ConfigurationError, match="token of this provider is missing here: pickles do not carry it"):
        pickle.loads(pickled).headers()
    monkeypatch.setenv("DATABRICKS_TOKEN", PAT)
    assert pickle.loads(pickled).headers() == {"Authorization": f"Bearer {PAT}"}


@pytest.mark.parametrize("profile", [None, "old"])
def test_a_token_of_a_profile_is_found_again_and_is_sent_to_its_own_host_only(box, monkeypatch, tmp_path, profile):
    monkeypatch.delenv("DATABRICKS_HOST")
    file = tmp_path / "databrickscfg"
    file.write_text(f"[{profile or 'DEFAULT'}]\nhost = {box.host}\nauth_type = pat\ntoken = {PAT}\n")
    pickled = pickle.dumps(lakekey.provider(profile))
    assert pickle.loads(pickled).headers() == {"Authorization": f"Bearer {PAT}"}
    file.write_text(file.read_text().replace(box.host, "https://another.cloud.databricks.com"))
    if profile is None:
        with pytest.raises(ConfigurationError, match="pickles do not carry it"):
            pickle.loads(pickled).headers()


def test_an_unknown_auth_type_is_answered_with_the_known_ones(box):
    with pytest.raises(ConfigurationError, match=r"auth_type 'oauth' .*is not supported") as caught:
        lakekey.provider(auth_type="oauth")
    assert "did you mean oauth-m2m? set it to external-browser, oauth-m2m, env-oidc" in caught.value.hint


def test_the_sdk_does_not_object_to_what_lies_in_the_environment(box, monkeypatch):
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", box.client_id)
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", box.client_secret)
    monkeypatch.setenv("DATABRICKS_TOKEN", PAT)
    with pytest.raises(ValueError, match="more than one authorization method configured"):
        WorkspaceClient()
    client = WorkspaceClient(config=lakekey.sdk.config())
    assert client.current_user.me().user_name == box.client_id


# What the SDK signs in with unasked


@pytest.fixture
def azure(box, access_token, monkeypatch):
    """Entra's token endpoint and Azure's resource manager; it keeps what was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self, fields):
            body = json.dumps(fields).encode()
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            self.answer({"properties": {"workspaceUrl": box.host.removeprefix("https://")}})

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer({"access_token": access_token, "token_type": "Bearer", "expires_in": 3600})

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    place = f"http://127.0.0.1:{server.server_address[1]}/"
    here = AzureEnvironment(
        name="HERE", service_management_endpoint=place, resource_manager_endpoint=place, active_directory_endpoint=place
    )
    monkeypatch.setattr(Config, "arm_environment", here)
    for variable, value in {
        "ARM_TENANT_ID": "tenant",
        "ARM_CLIENT_ID": "robot",
        "ARM_CLIENT_SECRET": "arm-secret-1",
    }.items():
        monkeypatch.setenv(variable, value)
    yield asked
    server.shutdown()
    server.server_close()


def test_azure_service_principal_of_the_environment_signs_an_unwatched_run_in(box, azure, access_token, unattended):
    p = lakekey.provider()  # without a warning that a service principal is missing, which would be an error here
    assert (p.auth_type(), p.target.host) == ("azure-client-secret", box.host)
    assert p.headers()["Authorization"] == f"Bearer {access_token}"
    assert "arm-secret-1" not in repr(p) + repr(p.target)


def test_azure_workspace_is_found_by_its_resource_id(box, azure, access_token, monkeypatch):
    monkeypatch.delenv("DATABRICKS_HOST")
    p = lakekey.provider(azure_workspace_resource_id="/subscriptions/s/workspaces/w", warehouse_id="w1")
    assert (repr(p), azure) == ("<lakekey.Provider azure-client-secret: azure-client-secret at Azure>", [])
    assert p.target.host == box.host
    assert p.headers()["Authorization"] == f"Bearer {access_token}"
    assert azure.count("/subscriptions/s/workspaces/w?api-version=2018-04-01") == 1
    client = WorkspaceClient(config=lakekey.sdk.config(p))
    assert client.current_user.me().user_name == box.client_id
    assert (client.config.warehouse_id, client.config.cluster_id) == ("w1", None)


def test_azure_is_not_asked_again_for_an_address_that_it_has_told(box, azure, access_token, monkeypatch):
    monkeypatch.delenv("DATABRICKS_HOST")
    p = lakekey.provider(azure_workspace_resource_id="/subscriptions/s/workspaces/w")
    for _ in range(2):
        p.login()  # the strategy is built again
        assert p.headers()["Authorization"] == f"Bearer {access_token}"
    assert p.target.host == box.host
    assert azure.count("/subscriptions/s/workspaces/w?api-version=2018-04-01") == 1


def test_azure_workspace_that_is_not_found_is_an_error_of_ours(monkeypatch, azure):
    monkeypatch.delenv("DATABRICKS_HOST", raising=False)
    monkeypatch.setattr(
        Config,
        "arm_environment",
        AzureEnvironment("X", "http://127.0.0.1:1/", "http://127.0.0.1:1/", "http://127.0.0.1:1/"),
    )
    p = lakekey.provider(azure_workspace_resource_id="/subscriptions/s/workspaces/w")
    with pytest.raises((TokenEndpointError, ConfigurationError), match="azure-client-secret: "):
        p.target  # noqa: B018
    with pytest.raises((TokenEndpointError, ConfigurationError), match="azure-client-secret: "):
        p.headers()


NOTEBOOK = """
import json, os, sys
import lakekey
from databricks.sdk.core import Config
from lakekey import LakekeyError
def of(given):
    try:
        p = lakekey.provider(**given)
        return [p.target.host, p.auth_type(), p.headers()["Authorization"]] if p.auth_type().startswith("runtime") else [p.target.host, p.auth_type(), ""]
    except LakekeyError as error:
        return [error.message]
print(json.dumps({"ours": [of(given) for given in json.loads(sys.argv[1])], "theirs": [Config().host, Config().auth_type]}))
"""


def run_in_a_notebook(tmp_path, host, *given, there=True):
    (tmp_path / "dbruntime").mkdir()
    (tmp_path / "dbruntime" / "__init__.py").write_text("")
    (tmp_path / "dbruntime" / "databricks_repl_context.py").write_text(
        f"class Context: workspaceUrl, apiToken = {host.removeprefix('https://')!r}, 'notebook-token'\n"
        f"def get_context(): return {'Context' if there else None}"
    )
    program = NOTEBOOK if there else NOTEBOOK.replace("[Config().host, Config().auth_type]", "[]")
    environ = {**os.environ, "DATABRICKS_RUNTIME_VERSION": "16.4", "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program, json.dumps(given)], env=environ, capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_notebook_signs_in_as_itself_without_any_configuration(box, monkeypatch, tmp_path):
    monkeypatch.delenv("DATABRICKS_HOST")
    said = run_in_a_notebook(tmp_path, box.host, {}, {"auth_type": "runtime"}, {"host": box.host})
    assert said["theirs"] == [box.host, "runtime"]
    assert said["ours"] == [[box.host, "runtime", "Bearer notebook-token"]] * 3


def test_notebook_signs_in_as_itself_to_its_own_workspace_only(box, monkeypatch, tmp_path):
    monkeypatch.delenv("DATABRICKS_HOST")
    other = "https://other.cloud.databricks.com"
    said = run_in_a_notebook(tmp_path, box.host, {"host": other}, {"user": "ada@example.com", "host": box.host})
    assert said["ours"] == [[other, "external-browser", ""], [box.host, "external-browser", ""]]


def test_process_of_a_cluster_that_is_not_a_notebook_has_no_identity_of_its_own(box, monkeypatch, tmp_path):
    monkeypatch.delenv("DATABRICKS_HOST")
    said = run_in_a_notebook(tmp_path, box.host, {}, {"host": box.host}, there=False)
    assert said["ours"] == [["there is no host"], [box.host, "external-browser", ""]]


def test_model_server_signs_in_as_itself(box, monkeypatch, tmp_path):
    monkeypatch.delenv("DATABRICKS_HOST")
    (tmp_path / "model-dependencies-oauth-token").write_text('{"OAUTH_TOKEN": [{"oauthTokenValue": "served"}]}')
    for name, value in {
        "IS_IN_DB_MODEL_SERVING_ENV": "true",
        "DB_MODEL_SERVING_HOST_URL": box.host,
        "SERVING_CREDENTIALS_DIR": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    for given in ({}, {"auth_type": "model-serving"}):
        p = lakekey.provider(**given)
        assert (p.auth_type(), p.target.host, p.target.sources["host"]) == (
            "model-serving",
            box.host,
            "DB_MODEL_SERVING_HOST_URL",
        )
        assert p.headers() == {"Authorization": "Bearer served"}
    (tmp_path / "model-dependencies-oauth-token").unlink()
    monkeypatch.setenv("DATABRICKS_HOST", box.host)
    assert lakekey.provider(auth_type="external-browser").auth_type() == "external-browser"
    assert lakekey.configuration.target.resolve().auth_type == "external-browser"
