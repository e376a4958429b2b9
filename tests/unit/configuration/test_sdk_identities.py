"""The identities with which the SDK signs in unasked: which of them are here, and which host they know."""

import sys
from types import SimpleNamespace

import pytest

from lakekey.configuration.layers import read_layers
from lakekey.configuration.sdk_identities import detect, find_host

HOST = "https://w.cloud.databricks.com"
NOTEBOOK = {"DATABRICKS_RUNTIME_VERSION": "16.4"}
SERVER = {"IS_IN_DB_MODEL_SERVING_ENV": "true"}
AZURE = {"azure_client_id": "app", "azure_client_secret": "made-up-of-azure"}


@pytest.fixture
def layers(tmp_path):
    """What is configured by arguments alone."""
    return lambda **arguments: read_layers(None, {"DATABRICKS_CONFIG_FILE": str(tmp_path / "none")}, arguments)


@pytest.fixture
def notebook(monkeypatch):
    """Makes this a notebook whose runtime answers as a test says."""

    def make(runtime=None, context=None):
        asked = {"sdk_credential_provider": runtime, "databricks_repl_context": context}
        monkeypatch.setitem(sys.modules, "dbruntime", SimpleNamespace())
        for name, module in asked.items():
            monkeypatch.setitem(sys.modules, f"dbruntime.{name}", module)

    return make


def found(layers, environ):
    """The strategy that is found, and the host that it knows."""
    grant = detect(layers, environ, ambient=True)
    find_host(layers, grant or "pat", environ)
    return grant, layers.get("host")


@pytest.mark.parametrize(
    "runtime",
    [
        SimpleNamespace(init_runtime_native_unified=lambda: (HOST, dict)),
        SimpleNamespace(init_runtime_native_auth=lambda: (HOST, dict)),
        SimpleNamespace(
            init_runtime_native_unified=lambda: (None, None), init_runtime_native_auth=lambda: (HOST, dict)
        ),
        SimpleNamespace(
            init_runtime_native_unified=lambda: (HOST, dict), init_runtime_native_auth=lambda: (None, None)
        ),
    ],
)
def test_notebook_is_known_by_either_way_of_its_runtime(layers, notebook, runtime):
    notebook(runtime)
    assert found(layers(), NOTEBOOK) == ("runtime", HOST)
    assert found(layers(scopes="sql"), NOTEBOOK) == ("runtime-oauth", HOST)
    assert found(layers(), {}) == (None, None)
    assert detect(layers(), NOTEBOOK, ambient=False) is None


def test_notebook_of_a_host_that_serves_several_knows_its_account_and_workspace(layers, notebook):
    notebook(SimpleNamespace(init_runtime_native_unified=lambda: (HOST, "acc-7", 1234567, dict)))
    here = layers()
    find_host(here, "runtime", NOTEBOOK)
    assert [here.get(name) for name in ("host", "account_id", "workspace_id")] == [HOST, "acc-7", "1234567"]
    assert here.source("workspace_id") == "the notebook"
    elsewhere = layers(host="https://other.cloud.databricks.com")
    find_host(elsewhere, "runtime", NOTEBOOK)
    assert elsewhere.get("workspace_id") is None


@pytest.mark.parametrize(("name", "expected"), [("w.cloud.databricks.com", ("runtime", HOST)), (None, (None, None))])
def test_notebook_is_known_by_the_name_of_its_workspace(layers, notebook, name, expected):
    notebook(context=SimpleNamespace(get_context=lambda: SimpleNamespace(workspaceUrl=name)))
    assert found(layers(), NOTEBOOK) == expected


@pytest.mark.parametrize(
    ("host", "grant"), [(HOST, "runtime"), ("https://other.cloud.databricks.com", None), ("https//slip", None)]
)
def test_notebooks_token_is_for_its_own_workspace_only(layers, notebook, host, grant):
    notebook(SimpleNamespace(init_runtime_native_unified=lambda: (HOST, dict)))
    assert found(layers(host=host), NOTEBOOK) == (grant, host)


def test_host_that_is_not_known_is_not_filled_in_and_another_strategy_gets_none(layers, notebook):
    notebook()
    unknown, other = layers(), layers()
    find_host(unknown, "runtime", NOTEBOOK)
    assert unknown.layer("host") is None
    notebook(SimpleNamespace(init_runtime_native_unified=lambda: (HOST, dict)))
    find_host(other, "pat", NOTEBOOK)
    assert other.layer("host") is None


def test_azure_service_principal_counts_at_another_clouds_host_only_where_the_cloud_is_named(layers):
    assert detect(layers(**AZURE), {}, ambient=True) == "azure-client-secret"
    assert detect(layers(host=HOST, **AZURE), {}, ambient=True) is None
    assert detect(layers(host=HOST, cloud="azure", **AZURE), {}, ambient=True) == "azure-client-secret"


def test_azure_client_without_a_secret_counts_in_a_job_of_github_alone(layers):
    job = {"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "made-up-of-a-job"}
    assert detect(layers(azure_client_id="app"), job, ambient=True) == "github-oidc-azure"
    assert detect(layers(azure_client_id="app"), {}, ambient=True) is None


@pytest.mark.parametrize("is_there", [True, False])
def test_model_server_is_known_by_its_token_file_or_by_what_the_sdk_says(layers, tmp_path, monkeypatch, is_there):
    environ = {**SERVER, "SERVING_CREDENTIALS_DIR": str(tmp_path)}
    grant = "model-serving" if is_there else None
    provider = SimpleNamespace(should_fetch_model_serving_environment_oauth=lambda: is_there)
    sdk = SimpleNamespace(ModelServingAuthProvider=provider)
    monkeypatch.setitem(sys.modules, "databricks.sdk.credentials_provider", sdk)
    assert detect(layers(), environ, ambient=True) == grant
    monkeypatch.setitem(sys.modules, "databricks.sdk.credentials_provider", SimpleNamespace())
    if is_there:
        (tmp_path / "model-dependencies-oauth-token").write_text("{}")
    assert detect(layers(), environ, ambient=True) == grant
    assert detect(layers(), {"SERVING_CREDENTIALS_DIR": str(tmp_path)}, ambient=True) is None
