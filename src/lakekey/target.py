"""From configuration to a target: which host, which grant, which client, as whom, on which compute.

Each value comes from the first of these that has it: the caller's arguments, the environment, the profile in
``.databrickscfg``; the target remembers which.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from lakekey.errors import ConfigurationError

U2M = "external-browser"
M2M = "oauth-m2m"
DEFAULT_CLIENT = "databricks-cli"
DEFAULT_SCOPES = ("all-apis",)
DEFAULT_LOGIN_TIMEOUT = 120.0
DEFAULT_LOCK_TIMEOUT = 60.0


_MINUTES = ("refresh_token_lifetime_in_minutes", "absolute_session_lifetime_in_minutes")


class Setting(NamedTuple):
    """One setting, and the variables that carry it; a profile has it under its own name."""

    variables: tuple[str, ...] = ()
    secret: bool = False


SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {
        "host": Setting(("DATABRICKS_HOST",)),
        "account_id": Setting(("DATABRICKS_ACCOUNT_ID",)),
        "workspace_id": Setting(("DATABRICKS_WORKSPACE_ID",)),
        "group_id": Setting(("DATABRICKS_GROUP_ID",)),
        "auth_type": Setting(("DATABRICKS_AUTH_TYPE",)),
        "client_id": Setting(("DATABRICKS_CLIENT_ID",)),
        "client_secret": Setting(("DATABRICKS_CLIENT_SECRET",), secret=True),
        "scopes": Setting(),
        "authorization_details": Setting(),
        "discovery_url": Setting(("DATABRICKS_DISCOVERY_URL",)),
        "cluster_id": Setting(("DATABRICKS_CLUSTER_ID",)),
        "warehouse_id": Setting(("DATABRICKS_WAREHOUSE_ID",)),
        "http_path": Setting(("DATABRICKS_HTTP_PATH",)),
        "catalog": Setting(),
        "schema": Setting(),
        "user": Setting(),
        "redirect_url": Setting(),
        "redirect_port": Setting(("DATABRICKS_OAUTH_CALLBACK_PORT",)),
        # Signing in: further ports of the app, parameters for its authorization endpoint, a certificate of our own,
        # and what the app's registration says of its sessions, where the server does not.
        "redirect_ports": Setting(),
        "authorize_extras": Setting(),
        "client_cert": Setting(),
        "client_key": Setting(),
        "refresh_token_lifetime_in_minutes": Setting(),
        "absolute_session_lifetime_in_minutes": Setting(),
        "ca_file": Setting(),
        "store": Setting(("LAKEKEY_STORE",)),
        "login_timeout": Setting(("LAKEKEY_LOGIN_TIMEOUT",)),
        "lock_timeout": Setting(("LAKEKEY_LOCK_TIMEOUT",)),
    }
)


class Target:
    """What a provider signs in to. Immutable; its ``repr`` holds no secret.

    Attributes:
        profile: The profile's name, or ``None`` where none was read.
        host: ``https://…``, without a path or trailing slash.
        auth_type: The SDK's name of the grant: ``external-browser`` (U2M) or ``oauth-m2m``.
        client_id: The OAuth client.
        client_secret: Its secret, or ``None``.
        proof: A digest of the service principal's secret, empty for a person. It is kept, sealed, with the tokens, so
            that whoever knows only the client's id is not handed what its secret fetched.
        scopes: The scopes to ask for, sorted; ``offline_access`` is added for U2M when they are sent.
        account_id: The account, where configured.
        group_id: The group whose role is assumed, or ``None``.
        user: Who must sign in (U2M), or ``None`` for whoever does.
        http_path: The warehouse's path, from ``http_path`` or ``warehouse_id``.
        cluster_id: The cluster.
        sources: Where each value came from: setting → ``argument``, a variable's name, or ``profile``.
    """

    __slots__ = (
        "absolute_session_lifetime_in_minutes",
        "account_id",
        "auth_type",
        "authorization_details",
        "authorize_extras",
        "ca_file",
        "catalog",
        "client_cert",
        "client_id",
        "client_key",
        "client_secret",
        "cluster_id",
        "discovery_url",
        "group_id",
        "host",
        "http_path",
        "lock_timeout",
        "login_timeout",
        "profile",
        "proof",
        "redirect_port",
        "redirect_ports",
        "redirect_url",
        "refresh_token_lifetime_in_minutes",
        "schema",
        "scopes",
        "sources",
        "store",
        "user",
        "warehouse_id",
        "workspace_id",
    )

    profile: str | None
    host: str
    auth_type: str
    client_id: str
    client_secret: str | None
    scopes: tuple[str, ...]
    proof: str
    sources: Mapping[str, str]
    account_id: str | None
    workspace_id: str | None
    group_id: str | None
    authorization_details: str | None
    discovery_url: str | None
    user: str | None
    http_path: str | None
    warehouse_id: str | None
    cluster_id: str | None
    catalog: str | None
    schema: str | None
    redirect_url: str | None
    redirect_port: int | None
    redirect_ports: str | None
    authorize_extras: str | Mapping[str, str] | None
    client_cert: str | None
    client_key: str | None
    refresh_token_lifetime_in_minutes: float | None
    absolute_session_lifetime_in_minutes: float | None
    ca_file: str | None
    store: str | None
    login_timeout: float
    lock_timeout: float

    def __init__(self, **values: Any) -> None:
        for name in self.__slots__:
            object.__setattr__(self, name, values.get(name))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Target is immutable: cannot set {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Target is immutable: cannot delete {name}")

    def __repr__(self) -> str:
        shown = {name: getattr(self, name) for name in ("profile", "host", "auth_type", "client_id", "user")}
        return f"Target({', '.join(f'{name}={value!r}' for name, value in shown.items() if value is not None)})"

    def __reduce__(self) -> tuple[Any, ...]:
        values = {name: getattr(self, name) for name in self.__slots__ if not _is_secret(name)}
        values["sources"] = dict(self.sources)
        return _revive, (values,)

    def __copy__(self) -> "Target":
        return self  # immutable; and a copy within the process, unlike a pickle, need not leave the secret behind

    def __deepcopy__(self, memo: dict[int, Any]) -> "Target":
        return self

    def secret(self) -> str:
        """The client secret of a service principal, found anew where it was not carried along by `pickle`.

        Raises:
            ConfigurationError: Neither the environment nor the profile of this machine holds it.
        """
        if self.client_secret:
            return self.client_secret
        with contextlib.suppress(ConfigurationError):
            here = resolve(self.profile)
            if here.client_id == self.client_id and here.client_secret:
                return here.client_secret
        raise ConfigurationError(
            "the client secret of this provider is not here: pickling leaves it behind",
            hint="set DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET here, or give the profile to this machine",
            profile=self.name,
        )

    @property
    def name(self) -> str:
        """What messages call it: the profile, or the host."""
        return self.profile or self.host

    @property
    def login_command(self) -> str:
        """The command with which a person signs in to it."""
        return f"lakekey login {self.profile}" if self.profile else f"lakekey login --host {self.host}"

    @property
    def is_person(self) -> bool:
        """Whether a person signs in (U2M)."""
        return self.auth_type == U2M

    def identity(self) -> dict[str, Any]:
        """What tells one credential from another; equal identities share one entry of the cache."""
        return {
            "issuer": self.discovery_url,
            "host": self.host,
            "account": self.account_id,
            "client": self.client_id,
            "grant": self.auth_type,
            "scopes": list(self.scopes),
            "user": self.user.casefold() if self.user else None,
            "role": self.group_id,
            "authorization_details": self.authorization_details,
        }

    def about(self) -> dict[str, Any]:
        """What a person needs to recognise the credential, without secrets; kept in its entry."""
        names = ("host", "auth_type", "client_id", "profile", "user", "group_id")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


def _revive(values: dict[str, Any]) -> Target:
    return Target(**{**values, "sources": MappingProxyType(values["sources"])})


def _proof(auth_type: str, client_id: str, secret: str | None) -> str:
    if auth_type != M2M:
        return ""
    return hashlib.sha256(f"lakekey proof\0{client_id}\0{secret}".encode()).hexdigest()


def _is_secret(name: str) -> bool:
    return name in SETTINGS and SETTINGS[name].secret


def resolve(profile: str | None = None, environ: Mapping[str, str] | None = None, **arguments: Any) -> Target:
    """Resolve a target.

    Args:
        profile: A profile of ``.databrickscfg``; ``None`` for the default chain.
        environ: The environment; ``None`` for this process's.
        **arguments: Settings by name; ``None`` counts as not given.

    Returns:
        The target.

    Raises:
        ConfigurationError: A setting is missing, wrong, or contradicts another.
    """
    environ = os.environ if environ is None else environ
    unknown = sorted(set(arguments) - set(SETTINGS) - {"config_file"})
    if unknown:
        raise ConfigurationError(f"there is no setting {unknown[0]!r}", hint=f"settings: {', '.join(SETTINGS)}")
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name, value in arguments.items():
        if value is not None and name != "config_file":
            values[name], sources[name] = value, "argument"
    for name, setting in SETTINGS.items():
        for variable in setting.variables:
            if name not in values and environ.get(variable, "").strip():
                values[name], sources[name] = environ[variable].strip(), variable
    section = _read_profile(profile, arguments.get("config_file"), environ, values, sources)
    _silence_other_sources(values, sources)
    _find_sealed_secret(values, sources, environ)
    return _build(section, values, sources)


def _read_profile(
    profile: str | None,
    config_file: str | None,
    environ: Mapping[str, str],
    values: dict[str, Any],
    sources: dict[str, str],
) -> str | None:
    from lakekey import databrickscfg

    wanted = profile or environ.get("DATABRICKS_CONFIG_PROFILE", "").strip() or None
    if wanted is None and ({"host", "client_secret"} & set(values)):
        return None  # as the SDK has it: what is configured directly is not mixed with a default profile
    found = databrickscfg.read(config_file or environ.get("DATABRICKS_CONFIG_FILE"), wanted)
    if found is None:
        return None
    for name in SETTINGS:
        if name not in values and found.values.get(name, "").strip():
            values[name], sources[name] = found.values[name].strip(), "profile"
    return found.name


def _silence_other_sources(values: dict[str, Any], sources: dict[str, str]) -> None:
    """An explicit choice of the grant is not overruled, or mixed, with what lies about elsewhere."""

    def forget(*names: str) -> None:
        for name in names:
            values.pop(name, None)
            sources.pop(name, None)

    if sources.get("client_secret") == "argument" and sources.get("auth_type", "argument") != "argument":
        forget("auth_type")
    if values.get("auth_type") == U2M and "client_secret" in values:
        # A service principal's pair is no OAuth app for people. A confidential app's pair is one, and then stands
        # where its auth_type stands.
        pair = _kind(sources["client_secret"])
        if pair != _kind(sources["auth_type"]):
            same = _kind(sources.get("client_id", "")) == pair
            forget("client_secret", *(["client_id"] if same else []))


def _find_sealed_secret(values: dict[str, Any], sources: dict[str, str], environ: Mapping[str, str]) -> None:
    """A client without a secret in clear may have one sealed in the cache (``lakekey secret set``)."""
    wants_one = values.get("client_id") and not values.get("client_secret") and values.get("host")
    if not wants_one or values.get("auth_type") not in (None, U2M, M2M):
        return
    from lakekey.cache.secrets import find_secret

    host = normalize_host(values["host"], None)
    if secret := find_secret(environ, values.get("store"), host, values.get("account_id"), values["client_id"]):
        values["client_secret"], sources["client_secret"] = secret, "cache"


def _kind(source: str) -> str:
    return source if source in ("argument", "profile") else "environment"


def _build(profile: str | None, values: dict[str, Any], sources: dict[str, str]) -> Target:
    host = normalize_host(values.get("host"), profile)
    secret = values.get("client_secret")
    auth_type = values.get("auth_type") or (M2M if values.get("client_id") and secret else U2M)
    if auth_type not in (U2M, M2M):
        raise ConfigurationError(
            f"auth_type {auth_type!r} is none that lakekey signs in with",
            hint=f"set auth_type to {U2M} or {M2M}",
            profile=profile or host,
        )
    if auth_type == M2M:
        for name in ("client_id", "client_secret"):
            if not values.get(name):
                raise ConfigurationError(
                    f"{name} is missing, which {M2M} needs",
                    hint=f"set {name} in the profile, or DATABRICKS_{name.upper()}",
                    profile=profile or host,
                )
    warehouse_id = values.get("warehouse_id")
    http_path = values.get("http_path") or (f"/sql/1.0/warehouses/{warehouse_id}" if warehouse_id else None)
    plain = {name: values.get(name) for name in SETTINGS}
    return Target(
        **{
            **plain,
            "profile": profile,
            "host": host,
            "auth_type": auth_type,
            "client_id": values.get("client_id") or DEFAULT_CLIENT,
            "client_secret": secret,
            "proof": _proof(auth_type, values.get("client_id") or DEFAULT_CLIENT, secret),
            "scopes": _scopes(values.get("scopes")) or DEFAULT_SCOPES,
            "http_path": http_path,
            "redirect_port": _number(values, "redirect_port", int, None, profile),
            **{name: _number(values, name, float, None, profile) for name in _MINUTES},
            "ca_file": os.path.expanduser(values["ca_file"]) if values.get("ca_file") else None,
            "login_timeout": _number(values, "login_timeout", float, DEFAULT_LOGIN_TIMEOUT, profile),
            "lock_timeout": _number(values, "lock_timeout", float, DEFAULT_LOCK_TIMEOUT, profile),
            "sources": MappingProxyType(sources),
        }
    )


def normalize_host(host: Any, profile: str | None) -> str:
    """A host as the SDK normalises it: scheme added, trailing slash, path and port 443 removed.

    Raises:
        ConfigurationError: There is none, or it is no address that credentials may be sent to.
    """
    if not isinstance(host, str) or not host.strip():
        raise ConfigurationError(
            "there is no host", hint="name a profile, or set DATABRICKS_HOST=https://…", profile=profile
        )
    text = host.strip()
    parts = urlsplit(text if "://" in text else f"https://{text}")
    try:
        port = parts.port
    except ValueError:
        port = -1
    name = parts.hostname
    loopback = name in ("127.0.0.1", "::1", "localhost")
    bad_scheme = parts.scheme != "https" and not (parts.scheme == "http" and loopback)
    if not name or port == -1 or bad_scheme or parts.username or parts.password:
        # The text is not quoted whole: it may hold a password.
        raise ConfigurationError(
            f"host {name or '(empty)'!r} is no https address", hint="host = https://<workspace>", profile=profile
        )
    shown = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{shown}" + (f":{port}" if port not in (None, 443) else "")


def _scopes(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    words: Iterable[Any] = value.replace(",", " ").split() if isinstance(value, str) else value
    return tuple(sorted({str(word).strip() for word in words if str(word).strip()} - {"offline_access"}))


def _number(values: dict[str, Any], name: str, kind: Any, default: Any, profile: str | None) -> Any:
    value = values.get(name)
    if value is None:
        return default
    try:
        number = kind(value)
    except (TypeError, ValueError):
        number = -1
    if number <= 0:
        raise ConfigurationError(
            f"{name} is {value!r}, which is not a positive number", hint=f"set {name} to a number", profile=profile
        )
    return number
