"""Checking what belongs together in a configuration, and filling in what follows from it."""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from lakekey._hosts import is_account_console, normalize_host, workspace_of
from lakekey._imports import LOADING
from lakekey.configuration.layers import Levels, directly_configured
from lakekey.configuration.settings import DELEGATED, FEDERATED, FIND_AZURE_HOST, M2M, SETTINGS, U2M
from lakekey.errors import ConfigurationError

DEFAULT_CLIENT = "databricks-cli"
DEFAULT_SCOPES = ("all-apis",)
#: The hint where nothing at all says which workspace is meant; the one session that there is may then be.
NAME_A_PROFILE = "name a profile, or set DATABRICKS_HOST=https://…"


def names_nothing(error: ConfigurationError) -> bool:
    """Whether an error says that no profile and no host is named at all."""
    return (error.hint or "").startswith("name a profile")


DEFAULT_LOGIN_TIMEOUT = 120.0
DEFAULT_LOCK_TIMEOUT = 60.0


def complete(levels: Levels, auth_type: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """The values of a target.

    Args:
        levels: What each level says.
        auth_type: The grant that was chosen.
        environ: The environment.

    Raises:
        ConfigurationError: A setting is missing, wrong, or contradicts another.
    """
    values = {name: levels.get(name) for name, setting in SETTINGS.items() if not setting.delegated}
    host = _host(levels, values, auth_type)
    delegated = auth_type in DELEGATED
    _check(levels, values, auth_type, host)
    values.update(
        profile=levels.profile,
        config_file=levels.config_file,
        host=host,
        auth_type=auth_type,
        client_id=values["client_id"] or (DEFAULT_CLIENT if auth_type in (U2M, M2M) else ""),
        client_secret=values["client_secret"] if auth_type in (U2M, M2M) else None,
        proof=_proof(values) if auth_type == M2M else "",
        scopes=values["scopes"] or DEFAULT_SCOPES,
        workspace_id=_workspace(values["workspace_id"]) or workspace_of(str(levels.raw("host"))),
        login_timeout=values["login_timeout"] or DEFAULT_LOGIN_TIMEOUT,
        lock_timeout=values["lock_timeout"] or DEFAULT_LOCK_TIMEOUT,
        sources=MappingProxyType(levels.sources()),
        sdk_settings=MappingProxyType(_for_the_sdk(levels, values) if delegated else {}),
    )
    values["http_path"] = _http_path(levels, values)
    if auth_type in FEDERATED:
        values["subject"] = _subject(auth_type, values, environ)
    return values


def _proof(values: Mapping[str, Any]) -> str:
    """A digest that ties what a secret fetched to that secret."""
    return hashlib.sha256(f"lakekey proof\0{values['client_id']}\0{values['client_secret']}".encode()).hexdigest()


def _host(levels: Levels, values: Mapping[str, Any], auth_type: str) -> str:
    if values["host"] is not None:
        return normalize_host(values["host"], levels.profile, levels.source("host"))
    if auth_type in FIND_AZURE_HOST and levels.level("azure_workspace_resource_id"):
        return ""  # the strategy asks Azure for it, with its first request
    if levels.profile is not None:
        hint = f"add host = https://… to it in {levels.config_file}, or set DATABRICKS_HOST"
    elif (first := directly_configured(*levels.levels.values())) is not None:
        # The commonest surprise of the default chain: one stray variable, and the default profile is not read.
        hint = f"set DATABRICKS_HOST, or name a profile: the default one is not read beside {first}"
    elif levels.others:
        shown = ", ".join(levels.others[:5]) + (", …" if len(levels.others) > 5 else "")
        hint = f"name a profile: {shown}"
    else:
        hint = NAME_A_PROFILE
    raise ConfigurationError("there is no host", hint=hint, profile=levels.profile)


def _check(levels: Levels, values: Mapping[str, Any], auth_type: str, host: str) -> None:
    profile = levels.profile or host
    if auth_type == M2M:
        for name in ("client_id", "client_secret"):
            if not values[name]:
                why = next((f"; {name} ({at}) {w}" for (n, at), w in levels.silenced.items() if n == name), "")
                raise ConfigurationError(
                    f"{name} is missing, which {M2M} needs{why}",
                    hint=f"set {name} in the profile, or DATABRICKS_{name.upper()}",
                    profile=profile,
                )
    if values["group_id"] and auth_type in DELEGATED and auth_type != "runtime-oauth":
        # Never quietly the ordinary access of the same identity.
        raise ConfigurationError(
            f"group_id ({levels.source('group_id')}) asks for a group's role, which {auth_type} cannot assume",
            hint=f"set auth_type to {U2M} or {M2M}, or remove group_id",
            profile=profile,
        )
    if is_account_console(host) and not (values["account_id"] or values["discovery_url"] or auth_type in DELEGATED):
        raise ConfigurationError(
            f"{host} is an account console, and account_id is missing",
            hint="set account_id in the profile, or DATABRICKS_ACCOUNT_ID",
            profile=profile,
        )
    if values["authorization_details"] and not _is_json(values["authorization_details"]):
        raise ConfigurationError(
            f"authorization_details ({levels.source('authorization_details')}) is not JSON",
            hint='authorization_details = [{"type": "…"}]',
            profile=profile,
        )
    if values["client_key"] and not values["client_cert"]:
        raise ConfigurationError(
            f"client_key ({levels.source('client_key')}) is set, and client_cert is not",
            hint="set client_cert to the certificate of that key", profile=profile,
        )  # fmt: skip
    if values["discovery_url"]:
        normalize_host(values["discovery_url"], profile, f"of discovery_url, {levels.source('discovery_url')}")


def _is_json(text: str) -> bool:
    with LOADING:
        from lakekey import _json

    try:
        _json.loads(text)
    except ValueError:
        return False
    return True


def _workspace(given: str | None) -> str | None:
    """``none`` is what the CLI writes into a profile that is for the account alone."""
    return None if given is None or given.lower() == "none" else given


def _http_path(levels: Levels, values: Mapping[str, Any]) -> str | None:
    order = [*levels.levels, None]
    path, warehouse = levels.level("http_path"), levels.level("warehouse_id")
    if path is not None and order.index(path) <= order.index(warehouse):
        return str(values["http_path"])
    if warehouse is not None:
        return f"/sql/1.0/warehouses/{values['warehouse_id']}"
    return cluster_path(values["workspace_id"], values["cluster_id"])


def cluster_path(workspace_id: str | None, cluster_id: str | None) -> str | None:
    """The path for SQL on a cluster; ``None`` unless both are known."""
    return f"/sql/protocolv1/o/{workspace_id}/{cluster_id}" if workspace_id and cluster_id else None


def _subject(auth_type: str, values: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    with LOADING:
        from lakekey.workload_identity import source_of

    source = source_of(
        auth_type,
        variable=values["oidc_token_env"],
        path=values["oidc_token_filepath"],
        profile=values["profile"] or values["host"],
        environ=environ,
    )
    return source.subject()


def _for_the_sdk(levels: Levels, values: Mapping[str, Any]) -> dict[str, str]:
    """What the SDK's own strategies read; they check it themselves."""
    settings = {name: levels.get(name) for name, setting in SETTINGS.items() if setting.delegated}
    settings.update({name: values[name] for name in ("client_id", "client_secret", "account_id", "workspace_id")})
    return {name: value for name, value in settings.items() if value is not None}
