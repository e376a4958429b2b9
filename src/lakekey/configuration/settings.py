"""The settings: their names, the variables that carry them, and what a value must look like.

The names and variables of the SDK's settings are the SDK's; a profile has a setting under its own name or an alias.
"""

from __future__ import annotations

import os
from types import MappingProxyType

from lakekey._hosts import is_workspace_id
from lakekey._imports import expanded
from lakekey._named_tuple import NamedTuple
from lakekey.errors import ConfigurationError, with_home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, dataclass_transform
else:

    def dataclass_transform(**_: Any) -> Any:  # noqa: D103 - what the library's does is for type checkers
        return lambda made: made


U2M = "external-browser"
M2M = "oauth-m2m"
#: Names under which the SDK exchanges an identity provider's token (RFC 8693).
FEDERATED = ("env-oidc", "file-oidc", "github-oidc", "azure-devops-oidc")
#: The SDK's other names: its own strategies sign in.
DELEGATED = (
    "pat",
    "basic",
    "metadata-service",
    "azure-client-secret",
    "github-oidc-azure",
    "azure-cli",
    "databricks-cli",
    "runtime",
    "runtime-oauth",
    "google-credentials",
    "google-id",
    "model-serving",
)
#: Those of them that one setting chooses unasked, in the SDK's order.
CHOSEN_BY_SETTING = {
    "metadata-service": "metadata_service_url",
    "azure-client-secret": "azure_client_secret",
    "github-oidc-azure": "azure_client_id",
    "google-credentials": "google_credentials",
    "google-id": "google_service_account",
}
#: Those of them that find the workspace by ``azure_workspace_resource_id``, with a request.
FIND_AZURE_HOST = ("azure-client-secret", "azure-cli")


class Setting(NamedTuple):
    """One setting.

    Attributes:
        variables: The environment variables that carry it, the first that is set counting.
        aliases: Other names that a profile may have it under: another SDK's, or an older one.
        method: The SDK's name of the family of sign-in methods that it belongs to, where it belongs to one.
        kind: ``text``, ``scopes``, ``port``, ``seconds`` or ``minutes`` (a positive number), ``path``, or ``switch``.
        secret: Whether it must never be shown or pickled.
        delegated: Whether only the SDK's own strategies read it.
    """

    variables: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    method: str = ""
    kind: str = "text"
    secret: bool = False
    delegated: bool = False


def _setting(
    *variables: str, aliases: tuple[str, ...] = (), method: str = "", kind: str = "text", secret: bool = False
) -> Any:
    """A field of `Given`; for a type checker it is of the type that stands beside it."""
    return Setting(variables, aliases, method, kind, secret)


def _sdk(variable: str = "", method: str = "", *, secret: bool = False) -> Setting:
    return Setting((variable,) if variable else (), method=method, secret=secret, delegated=True)


@dataclass_transform(eq_default=False, frozen_default=True, kw_only_default=True, field_specifiers=(_setting,))
class Record:
    """An immutable object of named values, its fields the annotations of its class.

    What `dataclasses` would make of them, without loading it: that costs more than the whole configuration does.
    """

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a {type(self).__name__} is immutable: cannot set {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a {type(self).__name__} is immutable: cannot delete {name}")


class Given(Record):
    """The settings that are ours, as they are configured; ``None`` if one is not."""

    host: str | None = _setting("DATABRICKS_HOST")
    account_id: str | None = _setting("DATABRICKS_ACCOUNT_ID")
    workspace_id: str | None = _setting("DATABRICKS_WORKSPACE_ID")
    group_id: str | None = _setting("DATABRICKS_GROUP_ID")
    auth_type: str | None = _setting("DATABRICKS_AUTH_TYPE")
    client_id: str | None = _setting("DATABRICKS_CLIENT_ID", method="oauth")
    client_secret: str | None = _setting("DATABRICKS_CLIENT_SECRET", method="oauth", secret=True)
    scopes: tuple[str, ...] | None = _setting(kind="scopes")
    authorization_details: str | None = _setting()
    discovery_url: str | None = _setting("DATABRICKS_DISCOVERY_URL")
    oidc_token_env: str | None = _setting("DATABRICKS_OIDC_TOKEN_ENV", method="env-oidc")
    oidc_token_filepath: str | None = _setting(
        "DATABRICKS_OIDC_TOKEN_FILEPATH", "DATABRICKS_OIDC_TOKEN_FILE", method="file-oidc", kind="path"
    )
    # The Go SDK calls it `audience`.
    token_audience: str | None = _setting("DATABRICKS_TOKEN_AUDIENCE", aliases=("audience",))
    cluster_id: str | None = _setting("DATABRICKS_CLUSTER_ID")
    warehouse_id: str | None = _setting("DATABRICKS_WAREHOUSE_ID")
    serverless_compute_id: str | None = _setting("DATABRICKS_SERVERLESS_COMPUTE_ID")
    http_path: str | None = _setting("DATABRICKS_HTTP_PATH")
    catalog: str | None = _setting()
    schema: str | None = _setting()
    user: str | None = _setting()
    redirect_url: str | None = _setting()
    redirect_port: int | None = _setting("DATABRICKS_OAUTH_CALLBACK_PORT", kind="port")
    # Signing in: further ports of the app, parameters for its authorization endpoint, a certificate of our own,
    # and what the app's registration says of its sessions, where the server does not.
    redirect_ports: str | None = _setting()
    authorize_extras: str | None = _setting()
    client_cert: str | None = _setting(kind="path")
    client_key: str | None = _setting(kind="path")
    refresh_token_lifetime_in_minutes: float | None = _setting(kind="minutes")
    absolute_session_lifetime_in_minutes: float | None = _setting(kind="minutes")
    disable_oauth_refresh_token: bool | None = _setting("DATABRICKS_DISABLE_OAUTH_REFRESH_TOKEN", kind="switch")
    ca_file: str | None = _setting(kind="path")
    login_timeout: float | None = _setting("LAKEKEY_LOGIN_TIMEOUT", kind="seconds")
    lock_timeout: float | None = _setting("LAKEKEY_LOCK_TIMEOUT", kind="seconds")
    store: str | None = _setting("LAKEKEY_STORE")
    cache_dir: str | None = _setting("LAKEKEY_CACHE_DIR", kind="path")
    key_source: str | None = _setting("LAKEKEY_KEY_SOURCE")
    key_file: str | None = _setting("LAKEKEY_KEY_FILE", kind="path")


SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {
        **{name: field for name, field in vars(Given).items() if isinstance(field, Setting)},
        "token": _sdk("DATABRICKS_TOKEN", "pat", secret=True),
        "username": _sdk("DATABRICKS_USERNAME", "basic"),
        "password": _sdk("DATABRICKS_PASSWORD", "basic", secret=True),
        "metadata_service_url": _sdk("DATABRICKS_METADATA_SERVICE_URL", "metadata-service", secret=True),
        "azure_workspace_resource_id": _sdk("DATABRICKS_AZURE_RESOURCE_ID", "azure"),
        "azure_use_msi": _sdk("ARM_USE_MSI", "azure"),
        "azure_client_secret": _sdk("ARM_CLIENT_SECRET", "azure", secret=True),
        "azure_client_id": _sdk("ARM_CLIENT_ID", "azure"),
        "azure_tenant_id": _sdk("ARM_TENANT_ID", "azure"),
        "azure_environment": _sdk("ARM_ENVIRONMENT"),
        "google_service_account": _sdk("DATABRICKS_GOOGLE_SERVICE_ACCOUNT", "google"),
        "google_credentials": _sdk("GOOGLE_CREDENTIALS", "google", secret=True),
        "databricks_cli_path": _sdk("DATABRICKS_CLI_PATH"),
        "cloud": _sdk("DATABRICKS_CLOUD"),
    }
)

#: Where the profiles are: an argument and a variable, and so no setting that a profile can have.
CONFIG_FILE = Setting(("DATABRICKS_CONFIG_FILE",), kind="path")

#: What a profile may say of the cache, besides its store; the cache itself reads variables.
CACHE_SETTINGS = ("cache_dir", "key_source", "key_file")


def cache_environment(
    environ: Mapping[str, str], values: Mapping[str, Any], sources: Mapping[str, str]
) -> Mapping[str, str]:
    """The environment as the cache is to see it: with what arguments and profile say of its place and key.

    Args:
        environ: The environment.
        values: The values of `CACHE_SETTINGS`; ``None`` if there is none.
        sources: Where they come from.
    """
    ours = {
        SETTINGS[name].variables[0]: str(values[name])
        for name in CACHE_SETTINGS
        if values[name] and sources.get(name) != SETTINGS[name].variables[0]
    }
    return {**environ, **ours} if ours else environ


def checked(name: str, value: Any, source: str, profile: str | None) -> Any:
    """A setting's value, brought into form.

    Args:
        name: The setting, or ``config_file``.
        value: What was given.
        source: Where it was given, for the error.
        profile: The profile, for the error.

    Returns:
        Text; for ``scopes`` a sorted tuple of texts; for ``port``, ``seconds`` and ``minutes`` a number; for ``switch``
        a truth value.

    Raises:
        ConfigurationError: It is not what the setting takes. The value of a secret is not quoted.
    """
    setting = SETTINGS.get(name, CONFIG_FILE)
    if setting.kind == "scopes":
        return _scopes(value, source, profile)
    if setting.kind in ("port", "seconds", "minutes"):
        return _number(name, value, source, profile)
    if setting.kind == "switch":
        return _switch(name, value, source, profile)
    if setting.kind == "path" and isinstance(value, os.PathLike):
        value = _path_of(name, value, source, profile)
    if setting.delegated and isinstance(value, bool):
        value = str(value).lower()
    if not isinstance(value, str):
        raise ConfigurationError(
            f"{name} ({source}) is of type {type(value).__name__}, not text", hint=f"give {name} as text",
            profile=profile,
        )  # fmt: skip
    text = value.strip()
    if not text:
        raise ConfigurationError(f"{name} ({source}) is empty", hint=f"give {name} a value, or none", profile=profile)
    # google_credentials may be a JSON document of several lines; anything else of several lines is a paste gone wrong.
    if name != "google_credentials" and not text.isprintable():
        raise ConfigurationError(
            f"{name} ({source}) holds a line break or another unprintable character", hint=f"set {name} again",
            profile=profile,
        )  # fmt: skip
    if name == "workspace_id" and not is_workspace_id(text):
        raise ConfigurationError(
            f"{name} ({source}) is {text!r}, which cannot be a workspace's id",
            hint="the workspace's address in the browser has it behind ?o=; none is none", profile=profile,
        )  # fmt: skip
    return with_home(expanded(text), f"{name} ({source})", profile=profile) if setting.kind == "path" else text


def _path_of(name: str, value: os.PathLike[str], source: str, profile: str | None) -> Any:
    try:
        return os.fspath(value)
    except Exception as error:
        what = f"of type {type(value).__name__}, which gives no path: {type(error).__name__}"
        raise ConfigurationError(
            f"{name} ({source}) is {what}", hint=f"give {name} as text", profile=profile
        ) from error


def _scopes(value: Any, source: str, profile: str | None) -> tuple[str, ...]:
    words: Iterable[Any] = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(words, list | tuple | set | frozenset) or not all(isinstance(word, str) for word in words):
        raise ConfigurationError(
            f"scopes ({source}) is neither a string nor a list of strings", hint='scopes = "sql, jobs"', profile=profile
        )
    if not any(word.strip() for word in words):
        raise ConfigurationError(f"scopes ({source}) names no scope", hint='scopes = "sql, jobs"', profile=profile)
    # offline_access asks for a refresh token, which is the grant's business and no permission (RFC 6749 §1.5).
    return tuple(sorted({word.strip() for word in words if word.strip()} - {"offline_access"}))


def _switch(name: str, value: Any, source: str, profile: str | None) -> bool:
    word = value.strip().lower() if isinstance(value, str) else value
    for meaning, words in ((True, ("true", "1", "yes", "on")), (False, ("false", "0", "no", "off"))):
        if word is meaning or (isinstance(word, str) and word in words):
            return meaning
    raise ConfigurationError(
        f"{name} ({source}) is neither true nor false", hint=f"set {name} to true or false", profile=profile
    )


def _number(name: str, value: Any, source: str, profile: str | None) -> float:
    kind = SETTINGS[name].kind
    port = kind == "port"
    last = 2**16 - 1 if port else 2**31 - 1
    try:
        number = (int if port else float)(value) if not isinstance(value, bool) else -1
    except (TypeError, ValueError, OverflowError):
        number = -1
    if not 0 < number <= last:  # refuses infinity and NaN too
        wrong = "not a port" if port else "too large" if number > last else "not a positive number"
        raise ConfigurationError(
            f"{name} ({source}) is {_shown(value)}, which is {wrong}",
            hint=f"set {name} to a number {'from 1' if port else f'of {kind} above 0 and up'} to {last}",
            profile=profile,
        )
    return number


def _shown(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - an integer of over 4,300 digits, or the caller's own class
        return f"of type {type(value).__name__}"
