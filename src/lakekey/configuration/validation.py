"""Checking what belongs together in a configuration, and filling in what follows from it."""

from __future__ import annotations

import hashlib
from types import MappingProxyType

from lakekey._hosts import is_account_console, normalize_host
from lakekey._imports import LOADING
from lakekey.configuration.layers import Layers, directly_configured
from lakekey.configuration.settings import (
    DELEGATED,
    FEDERATED,
    FIND_AZURE_HOST,
    M2M,
    SETTINGS,
    U2M,
    Given,
    Record,
)
from lakekey.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_CLIENT = "databricks-cli"
DEFAULT_SCOPES = ("all-apis",)
#: The hint where nothing at all says which workspace is meant; the one session that there is may then be.
NAME_A_PROFILE = "name a profile, or set DATABRICKS_HOST=https://…"


def names_nothing(error: ConfigurationError) -> bool:
    """Whether an error says that no profile and no host is named at all."""
    return (error.hint or "").startswith("name a profile")


DEFAULT_LOGIN_TIMEOUT = 120.0
DEFAULT_LOCK_TIMEOUT = 60.0


class Resolved(Record):
    """What the settings come to: what is decided from several of them, or has a default."""

    #: The profile's name, or ``None`` if none was read or none was named.
    profile: str | None
    #: The file that the profile was read from, or ``None``.
    config_file: str | None
    #: ``https://…``, without a path or trailing slash; empty where the SDK's strategy asks Azure for it.
    host: str
    #: The SDK's name of the grant: ``external-browser`` (U2M), ``oauth-m2m``, ….
    auth_type: str
    #: The OAuth client; empty for a federated identity of the account, and where the SDK signs in.
    client_id: str
    #: Its secret, or ``None``.
    client_secret: str | None
    #: A digest of the service principal's secret, empty for a person. It is kept, sealed, with the tokens, so that a
    #: process that knows only the client's id is not handed what its secret fetched.
    secret_digest: str
    #: The scopes to ask for, sorted; ``offline_access`` is added for U2M when they are sent.
    scopes: tuple[str, ...]
    #: The workspace, where it is configured or the host's address names it.
    workspace_id: str | None
    #: The path for SQL, from ``http_path``, ``warehouse_id``, or the cluster of a known workspace.
    http_path: str | None
    #: The identity that a federated token stands for, as far as it can be told without a request.
    subject: str | None
    #: How long a sign-in may take, and how long another process may hold the session, in seconds.
    login_timeout: float
    lock_timeout: float
    #: Where each value came from: setting → ``argument``, a variable's name, or ``profile``.
    sources: Mapping[str, str]
    #: What the SDK's own strategy needs, where it signs in; may hold secrets.
    sdk_settings: Mapping[str, str]
    #: Where a portal signs ``user`` in (`lakekey.web`), or ``None``: no portal does.
    connect_url: str | None
    #: The app's secret that ``client_secret`` replaces, while both are valid, or ``None``.
    older_secret: str | None
    #: What the place of the secret says of what it is for, where another place has a say in that; none secret. Pickles
    #: remember it (`lakekey.configuration.unpickled`); ``None`` in the pickle of an earlier release.
    beside: tuple[tuple[str, str], ...] | None = None
    #: Where a workspace's id was found that does not count, since it stands beside another host, and no other does; or
    #: ``None``.
    workspace_elsewhere: str | None = None


def validated(layers: Layers, auth_type: str, environ: Mapping[str, str]) -> tuple[Given, Resolved]:
    """The settings that are in force, and what they come to.

    Args:
        layers: What each layer says.
        auth_type: The grant that was chosen.
        environ: The environment.

    Raises:
        ConfigurationError: A setting is missing, wrong, or contradicts another.
    """
    given = Given(**{name: layers.get(name) for name, setting in SETTINGS.items() if not setting.delegated})
    host = _host(layers, given, auth_type)
    _check(layers, given, auth_type, host)
    return given, Resolved(
        profile=layers.profile,
        config_file=layers.config_file,
        host=host,
        auth_type=auth_type,
        client_id=given.client_id or (DEFAULT_CLIENT if auth_type in (U2M, M2M) else ""),
        client_secret=given.client_secret if auth_type in (U2M, M2M) else None,
        secret_digest=_secret_digest(given) if auth_type == M2M else "",
        scopes=given.scopes or DEFAULT_SCOPES,
        workspace_id=given.workspace_id,
        http_path=_http_path(layers, given),
        subject=_subject(auth_type, given, layers.profile or host, environ) if auth_type in FEDERATED else None,
        login_timeout=given.login_timeout or DEFAULT_LOGIN_TIMEOUT,
        lock_timeout=given.lock_timeout or DEFAULT_LOCK_TIMEOUT,
        sources=MappingProxyType(layers.sources()),
        sdk_settings=MappingProxyType(_for_the_sdk(layers, given) if auth_type in DELEGATED else {}),
        connect_url=layers.connect_url if auth_type == U2M else None,
        older_secret=layers.older_secret if auth_type == U2M else None,
        workspace_elsewhere=_workspace_elsewhere(layers),
    )


def _workspace_elsewhere(layers: Layers) -> str | None:
    if not layers.ignored or layers.layer("workspace_id"):  # `none` is an answer, too
        return None
    return next((source for name, source in layers.ignored if name == "workspace_id"), None)


def _secret_digest(given: Given) -> str:
    """A digest that ties what a secret fetched to that secret."""
    return hashlib.sha256(f"lakekey proof\0{given.client_id}\0{given.client_secret}".encode()).hexdigest()


def _host(layers: Layers, given: Given, auth_type: str) -> str:
    if given.host is not None:
        return normalize_host(given.host, layers.profile, layers.source("host"))
    if auth_type in FIND_AZURE_HOST and layers.layer("azure_workspace_resource_id"):
        return ""  # the strategy asks Azure for it, with its first request
    if layers.profile is not None:
        hint = f"add host = https://… to it in {layers.config_file}, or set DATABRICKS_HOST"
        hint = _respelled(layers, "host") or hint
    elif (first := directly_configured(*layers.layers.values())) is not None:
        # The commonest surprise of the default chain: one stray variable, and the default profile is not read.
        hint = f"set DATABRICKS_HOST, or name a profile: the default one is not read beside {first}"
    elif layers.others:
        shown = ", ".join(layers.others[:5]) + (", …" if len(layers.others) > 5 else "")
        hint = f"name a profile: {shown}"
    else:
        hint = NAME_A_PROFILE
    raise ConfigurationError("there is no host", hint=hint, profile=layers.profile)


def _respelled(layers: Layers, name: str) -> str | None:
    """The hint where the profile has what is missing under a name that is nearly right."""
    with LOADING:
        from lakekey.configuration.suggestion import OTHER_KEYS, misspelled

    known = {*SETTINGS, *OTHER_KEYS, *(alias for setting in SETTINGS.values() for alias in setting.aliases)}
    key = misspelled(name, layers.keys, known)
    return f"did you mean {name}? [{layers.profile}] of {layers.config_file} says {key}" if key else None


def _way_to_set(layers: Layers, name: str) -> str:
    if name == "client_secret" and layers.profile:  # first the way that leaves it nowhere in clear
        with LOADING:
            from lakekey import _commands

        return f"set DATABRICKS_CLIENT_SECRET, or seal it: lakekey secret set {_commands.profile(layers.profile)}"
    return f"set {name} in the profile, or DATABRICKS_{name.upper()}"


def _check(layers: Layers, given: Given, auth_type: str, host: str) -> None:
    profile = layers.profile or host
    if auth_type == M2M:
        for name in ("client_id", "client_secret"):
            if not getattr(given, name):
                why = next(
                    (f"; {name} ({at}) does not count: {w}" for (n, at), w in layers.ignored.items() if n == name), ""
                )
                raise ConfigurationError(
                    f"{name} is missing, which {M2M} needs{why}",
                    hint=_respelled(layers, name) or _way_to_set(layers, name),
                    profile=profile,
                )
    if given.group_id and auth_type in DELEGATED and auth_type != "runtime-oauth":
        # Never quietly the ordinary access of the same identity.
        raise ConfigurationError(
            f"group_id ({layers.source('group_id')}) asks for a group's role, which {auth_type} cannot assume",
            hint=f"set auth_type to {U2M} or {M2M}, or remove group_id",
            profile=profile,
        )
    if is_account_console(host) and not (given.account_id or given.discovery_url or auth_type in DELEGATED):
        raise ConfigurationError(
            f"{host} is an account console, and account_id is missing",
            hint=_respelled(layers, "account_id")
            or "set account_id in the profile, DATABRICKS_ACCOUNT_ID or --account-id; the menu under your name has it",
            profile=profile,
        )
    if given.authorization_details and not _is_json(given.authorization_details):
        raise ConfigurationError(
            f"authorization_details ({layers.source('authorization_details')}) is not JSON",
            hint='authorization_details = [{"type": "…"}]',
            profile=profile,
        )
    if given.client_key and not given.client_cert:
        raise ConfigurationError(
            f"client_key ({layers.source('client_key')}) is set, and client_cert is not",
            hint="set client_cert to the certificate of that key", profile=profile,
        )  # fmt: skip
    if given.discovery_url:
        normalize_host(given.discovery_url, profile, f"of discovery_url, {layers.source('discovery_url')}")


def _is_json(text: str) -> bool:
    with LOADING:
        from lakekey import _json

    try:
        _json.loads(text)
    except ValueError:
        return False
    return True


def _http_path(layers: Layers, given: Given) -> str | None:
    order = [*layers.layers, None]
    path, warehouse = layers.layer("http_path"), layers.layer("warehouse_id")
    if path is not None and order.index(path) <= order.index(warehouse):
        return given.http_path
    if warehouse is not None:
        return f"/sql/1.0/warehouses/{given.warehouse_id}"
    return cluster_path(given.workspace_id, given.cluster_id)


def cluster_path(workspace_id: str | None, cluster_id: str | None) -> str | None:
    """The path for SQL on a cluster; ``None`` unless both are known."""
    return f"/sql/protocolv1/o/{workspace_id}/{cluster_id}" if workspace_id and cluster_id else None


def _subject(auth_type: str, given: Given, profile: str, environ: Mapping[str, str]) -> str:
    with LOADING:
        from lakekey.workload_identity import source_of

    source = source_of(
        auth_type,
        variable=given.oidc_token_env,
        path=given.oidc_token_filepath,
        profile=profile,
        environ=environ,
    )
    return source.subject()


_ALSO_FOR_THE_SDK = ("client_id", "client_secret", "account_id", "workspace_id", "authorization_details")


def _for_the_sdk(layers: Layers, given: Given) -> dict[str, str]:
    """What the SDK's own strategies read; they check it themselves."""
    settings = {name: layers.get(name) for name, setting in SETTINGS.items() if setting.delegated}
    settings.update({name: getattr(given, name) for name in _ALSO_FOR_THE_SDK})
    return {name: value for name, value in settings.items() if value is not None}
