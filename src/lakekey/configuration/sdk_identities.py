"""The identities with which the SDK signs in unasked, and which no person had to choose.

An Azure service principal, a metadata service, a Google service account; the own identity of a notebook or of a model
server. A token or password that lies about is none of these, and neither is a person's login with another tool.
"""

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from lakekey._hosts import cloud_of, normalize_host
from lakekey._imports import libraries
from lakekey.configuration.layers import ENVIRONMENT, Layers, SourcedValue
from lakekey.configuration.settings import CHOSEN_BY_SETTING
from lakekey.errors import ConfigurationError

_CLOUDS = {
    "azure-client-secret": "Azure", "github-oidc-azure": "Azure", "google-credentials": "GCP", "google-id": "GCP",
}  # fmt: skip
_SERVING_HOSTS = ("DATABRICKS_MODEL_SERVING_HOST_URL", "DB_MODEL_SERVING_HOST_URL")
_NOTEBOOK = "the notebook"


class _Notebook(NamedTuple):
    """What a notebook's runtime says of where the notebook is.

    Attributes:
        host: The workspace's host.
        account_id: The account, where the host serves several workspaces.
        workspace_id: The workspace, where the host serves several.
    """

    host: str
    account_id: str | None = None
    workspace_id: str | None = None


def detect(layers: Layers, environ: Mapping[str, str], *, ambient: bool) -> str | None:
    """The strategy by which the SDK would sign in from this configuration.

    Args:
        layers: What each layer says.
        environ: The environment.
        ambient: Whether the own identity of a notebook or a model server counts.

    Returns:
        The SDK's name of the strategy, or ``None``.

    Raises:
        ConfigurationError: ``azure_use_msi`` is set, which the SDK for Python does not know.
    """
    configured = _configured(layers, environ)
    if configured is None and _is_on(layers.get("azure_use_msi")) and _cloud(layers) in (None, "Azure"):
        raise ConfigurationError(
            f"azure_use_msi ({layers.source('azure_use_msi')}) asks for a managed identity, "
            "which databricks-sdk for Python cannot use",
            hint="set azure_client_id and azure_client_secret, or name auth_type",
            profile=layers.profile,
        )
    if configured is not None or not ambient:
        return configured
    notebook = _notebook(environ)
    if notebook is not None and _is_for(layers, notebook.host):
        return "runtime-oauth" if layers.layer("scopes") else "runtime"
    return "model-serving" if _is_model_server(environ) else None


def find_host(layers: Layers, grant: str, environ: Mapping[str, str]) -> None:
    """Fill in what a strategy knows by itself, where it is not configured: the host, a notebook's workspace, account.

    Args:
        layers: What each layer says.
        grant: The SDK's name of the strategy.
        environ: The environment.
    """
    if grant in ("runtime", "runtime-oauth"):
        notebook = _notebook(environ)
        if notebook is not None and _is_for(layers, notebook.host):
            _fill_in(layers, notebook)
    elif grant == "model-serving" and not layers.layer("host"):
        variable = next((name for name in _SERVING_HOSTS if environ.get(name, "").strip()), None)
        if variable is not None:
            layers.layers[ENVIRONMENT]["host"] = SourcedValue(environ[variable], variable)


def _fill_in(layers: Layers, notebook: _Notebook) -> None:
    counted = layers.copy()
    counted.take_workspace_of_the_host()  # a weaker layer's id beside another host does not count
    place = layers.layer("host") or ENVIRONMENT  # beside the host in force, for the same reason
    for name, value in notebook._asdict().items():
        if value and not counted.layer(name):
            layers.layers[place][name] = SourcedValue(value, _NOTEBOOK)


def _configured(layers: Layers, environ: Mapping[str, str]) -> str | None:
    cloud = _cloud(layers)
    for grant, name in CHOSEN_BY_SETTING.items():
        if not layers.layer(name) or cloud not in (None, _CLOUDS.get(grant, cloud)):
            continue
        if grant == "azure-client-secret" and not layers.layer("azure_client_id"):
            continue
        if grant == "github-oidc-azure" and "ACTIONS_ID_TOKEN_REQUEST_TOKEN" not in environ:
            continue
        return grant
    return None


def _cloud(layers: Layers) -> str | None:
    """The cloud of the host, if that can be told. What is meant for another, such as for Terraform, does not count."""
    if not layers.layer("host") or layers.layer("cloud") or layers.layer("azure_workspace_resource_id"):
        return None
    try:
        return cloud_of(normalize_host(layers.get("host")))
    except ConfigurationError:
        return None  # said later, with the profile's name


def _is_on(value: str | None) -> bool:
    return (value or "").lower() in ("1", "t", "true", "yes", "y", "on")  # as the SDK reads a truth value, and more


def _is_for(layers: Layers, host: str | None) -> bool:
    """Whether a notebook's workspace is the one that is meant: its token is good for no other."""
    if not layers.layer("host"):
        return True
    try:
        return normalize_host(layers.get("host")) == normalize_host(host)
    except ConfigurationError:
        return False  # said later, with the profile's name


def _notebook(environ: Mapping[str, str]) -> _Notebook | None:
    """Where the notebook is that this runs in; ``None`` in a job's plain process and everywhere else."""
    if not environ.get("DATABRICKS_RUNTIME_VERSION", "").strip():
        return None
    for ask in (_of_the_runtime, _of_the_context, _of_dbutils):
        try:
            said = ask()
        except Exception:  # noqa: BLE001, S112 - the runtime's own code, or there is none
            continue
        if said:
            return said if isinstance(said, _Notebook) else _Notebook(str(said))
    return None


# What the SDK asks, in its order. Not through `databricks.sdk.runtime`: outside of a notebook its import signs in.


def _of_the_runtime() -> _Notebook | None:
    with libraries():
        module = importlib.import_module("dbruntime.sdk_credential_provider")
    for name in ("init_runtime_native_unified", "init_runtime_native_auth"):
        ask = getattr(module, name, None)
        # The host first, what authenticates last; the account and workspace of a unified host are in between.
        host, *between = ask()[:-1] if ask is not None else (None,)
        if host:
            account_id, workspace_id = between if len(between) == 2 else (None, None)
            return _Notebook(str(host), _text(account_id), _text(workspace_id))
    return None


def _text(value: object) -> str | None:
    return str(value) if value else None


def _of_the_context() -> Any:
    with libraries():
        module = importlib.import_module("dbruntime.databricks_repl_context")
    name = module.get_context().workspaceUrl
    return f"https://{name}" if name else None


def _of_dbutils() -> Any:
    shell = sys.modules["IPython"].get_ipython()
    dbutils = shell.ns_table["user_global"]["dbutils"].notebook.entry_point.getDbutils()
    return dbutils.notebook().getContext().apiUrl().get()


def _is_model_server(environ: Mapping[str, str]) -> bool:
    if "true" not in (environ.get("IS_IN_DB_MODEL_SERVING_ENV"), environ.get("IS_IN_DATABRICKS_MODEL_SERVING_ENV")):
        return False
    module = sys.modules.get("databricks.sdk.credentials_provider")
    provider = getattr(module, "ModelServingAuthProvider", None)
    if provider is not None:
        return bool(provider.should_fetch_model_serving_environment_oauth())
    directory = environ.get("SERVING_CREDENTIALS_DIR", "").strip() or "/var/credentials-secret"
    return os.path.isfile(os.path.join(directory, "model-dependencies-oauth-token"))
