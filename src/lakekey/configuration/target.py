"""From configuration to a target: which host, which grant, which client, which identity, on which compute.

Each value comes from the first of these that has it: the caller's arguments, the environment, the profile in
``.databrickscfg``; the target remembers which. `layers` reads them, `auth_type` chooses,
`validation` checks what belongs together and fills in the rest.
"""

from __future__ import annotations

import os
from types import MappingProxyType

from lakekey._hosts import normalize_host
from lakekey._imports import LOADING
from lakekey.configuration.auth_type import select
from lakekey.configuration.layers import ARGUMENT, ENVIRONMENT, PROFILE, Layers, read_layers
from lakekey.configuration.settings import (
    CACHE_SETTINGS,
    DELEGATED,
    FEDERATED,
    M2M,
    SETTINGS,
    U2M,
    Given,
    cache_environment,
)
from lakekey.configuration.validation import DEFAULT_CLIENT, DEFAULT_SCOPES, Resolved, cluster_path, validated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

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

RESOURCE = "azure_workspace_resource_id"
_APP = ("client_secret", ("host", "client_id", "account_id", "discovery_url"))
_WORKSPACE = ("host", "account_id", "workspace_id", RESOURCE)
#: The secret that a grant signs in with, and what that is for. Another value there is another identity or workspace.
SECRETS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    U2M: _APP,
    M2M: _APP,
    "pat": ("token", _WORKSPACE),
    "basic": ("password", ("username", *_WORKSPACE)),
    "metadata-service": ("metadata_service_url", _WORKSPACE),
    "azure-client-secret": (
        "azure_client_secret",
        (*_WORKSPACE, "azure_client_id", "azure_tenant_id", "azure_environment"),
    ),
    "google-credentials": ("google_credentials", _WORKSPACE),
}


class Target(Resolved, Given):
    """What a provider signs in to. Immutable; its ``repr`` holds no secret.

    It has the settings that are in force (`Given`), and over them what they come to (`Resolved`).
    """

    def __init__(self, given: Given, resolved: Resolved, beside: tuple[tuple[str, str], ...]) -> None:
        self.__dict__.update({**vars(given), **vars(resolved), "beside": beside})

    def __repr__(self) -> str:
        shown = {name: getattr(self, name) for name in ("profile", "host", "auth_type", "client_id", "user")}
        return f"Target({', '.join(f'{name}={value!r}' for name, value in shown.items() if value)})"

    def __reduce__(self) -> tuple[Any, ...]:
        values = {name: value for name, value in vars(self).items() if not _is_secret(name)}
        values["sources"] = dict(self.sources)
        values["sdk_settings"] = {n: value for n, value in self.sdk_settings.items() if not _is_secret(n)}
        return _revive, (values,)

    def __copy__(self) -> Target:
        return self  # immutable; and a copy within the process, unlike a pickle, need not leave the secret behind

    def __deepcopy__(self, memo: dict[int, Any]) -> Target:
        return self

    def at(self, host: str) -> Target:
        """The target at a host that only the SDK's strategy could find."""
        return _of({**vars(self), "host": host})

    def of_user(self, user: str) -> Target:
        """The target of another person who signs in with the same settings."""
        return _of({**vars(self), "user": user})

    def in_workspace(self, workspace_id: str | None, account_id: str | None) -> Target:
        """The target with the workspace and account that its host names, and the SQL path of its cluster there."""
        workspace = self.workspace_id or workspace_id
        found: dict[str, str | None] = {
            "account_id": self.account_id or account_id,
            "workspace_id": workspace,
            "http_path": self.http_path or cluster_path(workspace, self.cluster_id),
        }
        return _of({**vars(self), **found})

    @property
    def name(self) -> str:
        """What messages call it: the profile, or the host; ``auth_type`` where only Azure knows the host."""
        return self.profile or self.host or self.auth_type

    @property
    def login_command(self) -> str:
        """The command with which a person signs in to it."""
        return f"lakekey login{self._command_arguments}"

    @property
    def doctor_command(self) -> str:
        """The command that looks for what is wrong with it."""
        return f"lakekey doctor{self._command_arguments}"

    @property
    def _command_arguments(self) -> str:
        """How it is named on the command line: by the profile, not at all for the default one, or by the host.

        With the caller's own arguments, as far as there are options for them: without, it would be another credential.
        """
        words = []
        for name in _OPTIONS:
            source = self.sources.get(name)
            if source == ARGUMENT or (name == "host" and not self.profile and source != PROFILE):
                value = getattr(self, name)
                words += [f"--{name.replace('_', '-')}", value if isinstance(value, str) else ",".join(value)]
        if not words and not self.profile:
            return ""
        with LOADING:
            from lakekey import _commands

        named = [_commands.profile(self.profile)] if self.profile else []
        return " ".join(["", *named, *map(_commands.word, words)])

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

    def cache_key_fields(self) -> dict[str, Any]:
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

    def description(self) -> dict[str, Any]:
        """What a person needs to recognise the credential, without secrets; kept in its entry."""
        names = ["host", "auth_type", "client_id", "profile", "user", "group_id", "account_id", "scopes", "ca_file"]
        names += ["discovery_url", "authorization_details"]
        found = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        # As JSON gives it back, so that an entry equals itself after a round trip.
        return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


def _of(values: Mapping[str, Any]) -> Target:
    """A target that has these values, and ``None`` for every other field."""
    target = Target.__new__(Target)
    target.__dict__.update({**dict.fromkeys((*Given.__annotations__, *Resolved.__annotations__)), **values})
    return target


def _revive(values: dict[str, Any]) -> Target:
    settings = MappingProxyType(values["sdk_settings"])
    return _of({**values, "sources": MappingProxyType(values["sources"]), "sdk_settings": settings})


def _is_secret(name: str) -> bool:
    return name == "older_secret" or (name in SETTINGS and SETTINGS[name].secret)


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
    return target_of(read_layers(profile, environ, arguments), environ)


def target_of(layers: Layers, environ: Mapping[str, str]) -> Target:
    """The target that the layers come to.

    Args:
        layers: What each layer says; what does not count is taken out of it.
        environ: The environment.

    Raises:
        ConfigurationError: A setting is missing, wrong, or contradicts another.
    """
    layers.take_account_of_the_host()
    auth_type = select(layers, environ)
    beside = _beside_the_secret(layers, auth_type)  # first: it is what the places say, whether or not that counts
    layers.take_workspace_of_the_host()
    return Target(*validated(layers, auth_type, environ), beside)


def _beside_the_secret(layers: Layers, auth_type: str) -> tuple[tuple[str, str], ...]:
    """What the place of the secret says of what it is for, where another place has a say in that."""
    secret, names = SECRETS.get(auth_type, ("", ()))
    place = layers.layer(secret)
    if place not in (ENVIRONMENT, PROFILE) or all(layers.layer(name) in (None, place) for name in names):
        return ()  # the usual case, in which nothing more is imported
    with LOADING:
        from lakekey.configuration.beside import said

    return tuple(said(layers.copy(place), names).items())


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
