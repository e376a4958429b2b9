"""A notebook's own token is for the notebook's own workspace, whatever is configured."""

import sys
from types import SimpleNamespace

import pytest
from databricks.sdk import config as sdk_config
from databricks.sdk.oauth import HostMetadata

from lakekey import ConfigurationError
from lakekey.configuration.target import resolve
from lakekey.providers.sdk_strategy import SdkStrategy

HERE = "https://one.cloud.databricks.com"
TOKEN = "dose-of-a-notebook"
GRANTS = ("runtime", "runtime-oauth")


@pytest.fixture
def notebook(monkeypatch):
    """Makes this a notebook whose runtime says where it is: host, and of a unified host account and workspace."""

    def make(*place):
        found = (*place, lambda: {"Authorization": f"Bearer {TOKEN}"})
        names = ("init_runtime_native_unified", "init_runtime_native_auth", "init_runtime_repl_auth")
        runtime = SimpleNamespace(**dict.fromkeys((*names, "init_runtime_legacy_auth")))
        setattr(runtime, names[len(place) == 1], lambda: found)
        monkeypatch.delenv("DATABRICKS_HOST")
        monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "16.4")
        monkeypatch.setitem(sys.modules, "databricks.sdk.runtime", runtime)
        monkeypatch.setitem(sys.modules, "dbruntime", SimpleNamespace())
        monkeypatch.setitem(sys.modules, "dbruntime.sdk_credential_provider", runtime)
        monkeypatch.setattr(sdk_config, "get_host_metadata", lambda *_, **__: HostMetadata.from_dict({}))

    return make


def strategy(grant, **settings):
    """A strategy of the SDK, as a provider has it."""
    return SdkStrategy(resolve(auth_type=grant, scopes=["sql"], **settings))


@pytest.mark.parametrize("grant", GRANTS)
@pytest.mark.parametrize("place", [(HERE,), (HERE, "acc-7", "1234567")])
def test_notebooks_token_goes_to_no_other_host(lakekey_environment, notebook, grant, place):
    notebook(*place)
    source = strategy(grant, host="https://data.example.com")
    with pytest.raises(ConfigurationError, match=rf"{HERE} alone, and host \(argument\)") as caught:
        source.headers()
    assert TOKEN not in str(caught.value)
    assert source.target.host == "https://data.example.com"


@pytest.mark.parametrize("grant", GRANTS)
@pytest.mark.parametrize(
    ("setting", "at"),
    [
        ({"workspace_id": "99"}, "workspace_id"),
        ({"account_id": "another"}, "account_id"),
        ({"host": f"{HERE}/?o=99"}, "workspace_id"),
    ],
)
def test_notebooks_token_goes_to_no_other_workspace_or_account_of_its_host(
    lakekey_environment, notebook, grant, setting, at
):
    notebook(HERE, "acc-7", "1234567")
    with pytest.raises(ConfigurationError, match=f"signs in to {at}"):
        strategy(grant, **setting).headers()


@pytest.mark.parametrize("place", [(HERE,), (HERE, None, None), (HERE, "acc-7", "1234567")])
@pytest.mark.parametrize("setting", [{}, {"host": HERE}, {"host": "one.cloud.databricks.com/"}])
def test_notebook_signs_in_to_its_own_workspace(lakekey_environment, notebook, place, setting):
    notebook(*place)
    source = strategy("runtime", **setting)
    assert source.headers() == {"Authorization": f"Bearer {TOKEN}"}
    assert (source.target.host, source.target.account_id, source.target.workspace_id) == (*place, None, None)[:3]


def test_workspace_of_a_notebook_that_is_configured_stays(lakekey_environment, notebook):
    notebook(HERE, "acc-7", "1234567")
    assert strategy("runtime", workspace_id="none").target.workspace_id is None
    assert strategy("runtime", host=f"{HERE}/?o=99").target.workspace_id == "99"


@pytest.mark.parametrize("given", [{}, {"host": HERE}])
def test_workspace_of_the_notebook_stands_in_for_one_that_is_of_another_host(
    lakekey_environment, notebook, monkeypatch, tmp_path, given
):
    notebook(HERE, "acc-7", "1234567")
    file = tmp_path / "profiles"
    file.write_text("[prod]\nhost = https://two.cloud.databricks.com\nworkspace_id = 99\n", encoding="utf-8")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(file))
    if not given:
        monkeypatch.setenv("DATABRICKS_HOST", HERE)
    target = resolve("prod", auth_type="runtime", **given)
    assert (target.host, target.workspace_id, target.workspace_elsewhere) == (HERE, "1234567", None)


def test_workspace_of_the_notebook_counts_beside_variables_of_another_host(lakekey_environment, notebook, monkeypatch):
    notebook(HERE, "acc-7", "1234567")
    monkeypatch.setenv("DATABRICKS_HOST", "https://two.cloud.databricks.com")
    monkeypatch.setenv("DATABRICKS_WORKSPACE_ID", "99")
    assert resolve(auth_type="runtime", host=HERE).workspace_id == "1234567"
