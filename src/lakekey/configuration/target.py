"""From configuration to a target: which host, which grant, which client, which identity, on which compute.

Each value comes from the first of these that has it: the caller's arguments, the environment, the profile in
``.databrickscfg``; the target remembers which. `layers` reads them, `auth_type` chooses,
`validation` checks what belongs together and fills in the rest.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from lakekey._hosts import normalize_host
from lakekey._imports import LOADING
from lakekey.configuration.auth_type import choose
from lakekey.configuration.layers import ARGUMENT, PROFILE, gather
from lakekey.configuration.settings import CACHE_SETTINGS, DELEGATED, FEDERATED, M2M, SETTINGS, U2M, cache_environment
from lakekey.configuration.validation import DEFAULT_CLIENT, DEFAULT_SCOPES, complete
from lakekey.errors import ConfigurationError

__all__ = [
    "DEFAULT_CLIENT",
    "DEFAULT_SCOPES",
    "M2M",
    "SETTINGS",
    "U2M",
    "Target",
    "normalize_host",
    "resolve",
]

# The settings that the command line takes as options, in its order.
_OPTIONS = ("host", "auth_type", "client_id", "scopes", "user", "account_id", "ca_file", "config_file")


class Target:
    """What a provider signs in to. Immutable; its ``repr`` holds no secret.

    Attributes:
        profile: The profile's name, or ``None`` if none was read or none was named.
        config_file: The file that the profile was read from, or ``None``.
        host: ``https://…``, without a path or trailing slash; empty where the SDK's strategy asks Azure for it.
        auth_type: The SDK's name of the grant: ``external-browser`` (U2M), ``oauth-m2m``, ….
        client_id: The OAuth client; empty for a federated identity of the account, and where the SDK signs in.
        client_secret: Its secret, or ``None``.
        proof: A digest of the service principal's secret, empty for a person. It is kept, sealed, with the tokens, so
            that a process that knows only the client's id is not handed what its secret fetched.
        scopes: The scopes to ask for, sorted; ``offline_access`` is added for U2M when they are sent.
        account_id: The account, where configured.
        workspace_id: The workspace, where configured.
        group_id: The group whose role is assumed, or ``None``.
        user: Who must sign in (U2M), or ``None`` for any person.
        subject: The identity that a federated token stands for, as far as it can be told without a request.
        http_path: The path for SQL, from ``http_path``, ``warehouse_id``, or the cluster of a known workspace.
        cluster_id: The cluster.
        serverless_compute_id: ``auto`` for serverless compute.
        sdk_settings: What the SDK's own strategy needs, where it signs in; may hold secrets.
        sources: Where each value came from: setting → ``argument``, a variable's name, or ``profile``.
    """

    __slots__ = (
        "absolute_session_lifetime_in_minutes",
        "account_id",
        "auth_type",
        "authorization_details",
        "authorize_extras",
        "ca_file",
        "cache_dir",
        "catalog",
        "client_cert",
        "client_id",
        "client_key",
        "client_secret",
        "cluster_id",
        "config_file",
        "disable_oauth_refresh_token",
        "discovery_url",
        "group_id",
        "host",
        "http_path",
        "key_file",
        "key_source",
        "lock_timeout",
        "login_timeout",
        "oidc_token_env",
        "oidc_token_filepath",
        "profile",
        "proof",
        "redirect_port",
        "redirect_ports",
        "redirect_url",
        "refresh_token_lifetime_in_minutes",
        "schema",
        "scopes",
        "sdk_settings",
        "serverless_compute_id",
        "sources",
        "store",
        "subject",
        "token_audience",
        "user",
        "warehouse_id",
        "workspace_id",
    )

    profile: str | None
    config_file: str | None
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
    oidc_token_env: str | None
    oidc_token_filepath: str | None
    token_audience: str | None
    user: str | None
    subject: str | None
    http_path: str | None
    warehouse_id: str | None
    cluster_id: str | None
    serverless_compute_id: str | None
    catalog: str | None
    schema: str | None
    redirect_url: str | None
    redirect_port: int | None
    redirect_ports: str | None
    authorize_extras: str | None
    client_cert: str | None
    client_key: str | None
    refresh_token_lifetime_in_minutes: float | None
    absolute_session_lifetime_in_minutes: float | None
    disable_oauth_refresh_token: bool | None
    ca_file: str | None
    login_timeout: float
    lock_timeout: float
    store: str | None
    cache_dir: str | None
    key_source: str | None
    key_file: str | None
    sdk_settings: Mapping[str, str]

    def __init__(self, **values: Any) -> None:
        for name in self.__slots__:
            object.__setattr__(self, name, values.get(name))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Target is immutable: cannot set {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Target is immutable: cannot delete {name}")

    def __repr__(self) -> str:
        shown = {name: getattr(self, name) for name in ("profile", "host", "auth_type", "client_id", "user")}
        return f"Target({', '.join(f'{name}={value!r}' for name, value in shown.items() if value)})"

    def __reduce__(self) -> tuple[Any, ...]:
        values = {name: getattr(self, name) for name in self.__slots__ if not _is_secret(name)}
        values["sources"] = dict(self.sources)
        values["sdk_settings"] = {n: value for n, value in self.sdk_settings.items() if not _is_secret(n)}
        return _revive, (values,)

    def __copy__(self) -> "Target":
        return self  # immutable; and a copy within the process, unlike a pickle, need not leave the secret behind

    def __deepcopy__(self, memo: dict[int, Any]) -> "Target":
        return self

    def replaced(self, **changes: Any) -> "Target":
        """The target with other values."""
        return Target(**{**{name: getattr(self, name) for name in self.__slots__}, **changes})

    def secret(self) -> str:
        """The client secret of a service principal, found again where it was not carried along by `pickle`.

        Raises:
            ConfigurationError: Neither the environment nor the profile of this machine holds it.
        """
        if self.client_secret:
            return self.client_secret
        for here in self.resolved_here():
            if here.client_secret:
                return here.client_secret
        raise ConfigurationError(
            "the client secret of this provider is not here: pickling leaves it behind",
            hint="set DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET here, or give the profile to this machine",
            profile=self.name,
        )

    def resolved_here(self) -> Iterator["Target"]:
        """The same target as this machine's configuration has it, which knows the secrets that `pickle` left behind.

        The file that it was read from may be here, or another one; the profile, or just the environment; and what the
        caller gave as an argument may stand in neither.
        """
        own: dict[str, Any] = {"host": self.host, "client_id": self.client_id or None}
        if not self.is_person:
            own["auth_type"] = self.auth_type
        for profile, place in ((self.profile, self.config_file), (self.profile, None), (None, None)):
            for given in ({}, own):
                with contextlib.suppress(ConfigurationError):
                    here = resolve(profile, config_file=place, **given)
                    if self._is_signed_in_as(here):
                        yield here

    def _is_signed_in_as(self, other: "Target") -> bool:
        if self.is_delegated:  # one of the SDK's tokens is for its host alone
            return (self.auth_type, self.host) == (other.auth_type, other.host)
        return self.client_id == other.client_id

    @property
    def name(self) -> str:
        """What messages call it: the profile, or the host; ``auth_type`` where only Azure knows the host."""
        return self.profile or self.host or self.auth_type

    @property
    def login_command(self) -> str:
        """The command with which a person signs in to it."""
        return f"lakekey login{self._named}"

    @property
    def doctor_command(self) -> str:
        """The command that looks for what is wrong with it."""
        return f"lakekey doctor{self._named}"

    @property
    def _named(self) -> str:
        """How it is named on the command line: by the profile, not at all for the default one, or by the host.

        With the caller's own arguments, as far as there are options for them: without, it would be another credential.
        """
        words = [self.profile] if self.profile else []
        for name in _OPTIONS:
            source = self.sources.get(name)
            if source == ARGUMENT or (name == "host" and not self.profile and source != PROFILE):
                value = getattr(self, name)
                words += [f"--{name.replace('_', '-')}", value if isinstance(value, str) else ",".join(value)]
        if not words:
            return ""
        with LOADING:
            import shlex

        return f" {shlex.join(words)}"

    @property
    def is_person(self) -> bool:
        """Whether a person signs in (U2M)."""
        return self.auth_type == U2M

    @property
    def is_federated(self) -> bool:
        """Whether an identity provider's token is exchanged (RFC 8693)."""
        return self.auth_type in FEDERATED

    @property
    def is_delegated(self) -> bool:
        """Whether one of the SDK's own strategies signs in."""
        return self.auth_type in DELEGATED

    def identity(self) -> dict[str, Any]:
        """What tells one credential from another; equal identities share one entry of the cache."""
        fields: dict[str, Any] = {
            "issuer": self.discovery_url,
            "host": self.host,
            "account": self.account_id,
            "client": self.client_id,
            "grant": self.auth_type,
            "scopes": list(self.scopes),
            # A federated workload is the identity that its token names: two of them never share a token.
            "user": self.subject or (person_key(self.user) if self.user else None),
            "role": self.group_id,
            "authorization_details": self.authorization_details,
        }
        if self.disable_oauth_refresh_token:
            fields["refresh_token"] = False  # a session that has one is another session
        return fields

    def cache_environment(self, environ: Mapping[str, str]) -> Mapping[str, str]:
        """The environment as the cache is to see it: with the place and key settings of arguments and profile."""
        return cache_environment(environ, {name: getattr(self, name) for name in CACHE_SETTINGS}, self.sources)

    def about(self) -> dict[str, Any]:
        """What a person needs to recognise the credential, without secrets; kept in its entry."""
        names = ["host", "auth_type", "client_id", "profile", "user", "group_id", "account_id", "scopes", "ca_file"]
        names += ["discovery_url", "authorization_details"]
        found = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        # As JSON gives it back, so that an entry equals itself after a round trip.
        return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


def _revive(values: dict[str, Any]) -> Target:
    settings = MappingProxyType(values["sdk_settings"])
    return Target(**{**values, "sources": MappingProxyType(values["sources"]), "sdk_settings": settings})


def _is_secret(name: str) -> bool:
    return name in SETTINGS and SETTINGS[name].secret


def resolve(profile: str | None = None, environ: Mapping[str, str] | None = None, **arguments: Any) -> Target:
    """Resolve a target.

    Args:
        profile: A profile of ``.databrickscfg``; ``None`` for the default chain.
        environ: The environment; ``None`` for this process's.
        **arguments: Settings by name, and ``config_file``; ``None`` counts as not given.

    Returns:
        The target.

    Raises:
        ConfigurationError: A setting is missing, wrong, or contradicts another.
    """
    environ = os.environ if environ is None else environ
    levels = gather(profile, environ, arguments)
    return Target(**complete(levels, choose(levels, environ), environ))


def person_key(name: str) -> str:
    """What a person's name is compared by, exactly.

    Identity providers compare addresses without regard to the case of ASCII letters, and everything else as it is.
    Folding case as Unicode does makes one of what are two to them: the Kelvin sign and ``k``.

    Args:
        name: A mail address, a user name or a subject.

    Returns:
        The name in Unicode's normalization form C; an address with its ASCII letters in lower case.
    """
    if not name.isascii():
        with LOADING:
            import unicodedata

        if any(not each.isascii() and unicodedata.normalize("NFC", each).isascii() for each in name):
            return name  # such as the Kelvin sign, which normalization makes an ASCII letter
        name = unicodedata.normalize("NFC", name)
    if "@" not in name:
        return name
    return "".join(character.lower() if character.isascii() else character for character in name)
