"""The secrets that `pickle` left behind, found again in the configuration of this machine."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

from lakekey._hosts import normalize_host, workspace_of
from lakekey.configuration.layers import ARGUMENT, PROFILE, Layers, read_layers
from lakekey.configuration.target import Target, person_key, resolve
from lakekey.errors import ConfigurationError

# The secret that one of the SDK's strategies signs in with. Others that lie about are not missed.
_SECRET_OF = {
    "pat": "token",
    "basic": "password",
    "metadata-service": "metadata_service_url",
    "azure-client-secret": "azure_client_secret",
    "google-credentials": "google_credentials",
}
_RESOURCE = "azure_workspace_resource_id"
# What a secret is for, besides the host. A difference in one of these means another identity or another workspace.
_IDENTITY = {
    "basic": ("username",),
    "azure-client-secret": ("azure_client_id", "azure_tenant_id", "azure_environment", _RESOURCE),
}


def client_secret(target: Target) -> str:
    """The client secret of a service principal, found again where it was not carried along by `pickle`.

    Args:
        target: What the secret signs in to.

    Raises:
        ConfigurationError: Neither the environment nor the profile of this machine holds it.
    """
    if target.client_secret:
        return target.client_secret
    for here in resolved_here(target):
        if here.client_secret:
            return here.client_secret
    raise ConfigurationError(
        "the client secret of this provider is missing here: pickles do not carry it",
        hint="set DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET here, or add the profile on this machine",
        profile=target.name,
    )


def sdk_settings(target: Target) -> Mapping[str, str]:
    """What the SDK's strategy reads, with the secret that `pickle` left behind found again.

    Nothing but the secret is taken from this machine: it names no other workspace, tenant or cloud than the target.

    Args:
        target: What the strategy signs in to.

    Raises:
        ConfigurationError: The secret is not here, or what is here is another identity's.
    """
    name = _SECRET_OF.get(target.auth_type, "")
    if name not in target.sources or name in target.sdk_settings:
        return target.sdk_settings
    others: list[str] = []
    for here in resolved_here(target, others):
        if name in here.sdk_settings:
            return {**target.sdk_settings, name: here.sdk_settings[name]}
    said = f"{name} of this provider is missing here: pickles do not carry it"
    if others:
        raise ConfigurationError(
            f"{said}, and the one that is here is for another identity or workspace: {others[0]}",
            hint=f"set {name} and what belongs to it in the environment here, or in the profile on this machine",
            profile=target.name,
        )
    raise ConfigurationError(
        said, hint="set it in the environment here, or add the profile on this machine", profile=target.name
    )


def resolved_here(target: Target, others: list[str] | None = None) -> Iterator[Target]:
    """The same target as this machine's configuration has it, which knows the secrets that `pickle` left behind.

    The file that it was read from may be here, or another one; the profile, or just the environment; and what the
    caller gave as an argument may stand in neither.

    Args:
        target: The target as it was unpickled.
        others: Gets how a secret that is here is another identity's, or for another workspace.
    """
    others = [] if others is None else others
    own: dict[str, Any] = {"host": target.host, "client_id": target.client_id or None}
    if not target.is_person:
        own["auth_type"] = target.auth_type
    elif target.connect_url:  # a portal's app, which is found by the person
        own["user"] = target.user
    for profile, config_file in ((target.profile, target.config_file), (target.profile, None), (None, None)):
        if target.is_delegated and _leads_elsewhere(target, profile, config_file, others):
            continue
        for given in ({}, own):
            with contextlib.suppress(ConfigurationError):
                here = resolve(profile, config_file=config_file, **given)
                if _is_of_one_kind(target, here) and not _is_of_another(target, here, others):
                    yield here


def _leads_elsewhere(target: Target, profile: str | None, config_file: str | None, others: list[str]) -> bool:
    """Whether this machine's configuration leads to another workspace, or to none that is understood."""
    argued = target.host if target.sources.get("host") == ARGUMENT else None
    try:
        layers = read_layers(profile, os.environ, {"config_file": config_file, "host": argued})
    except ConfigurationError:
        return True
    place = layers.layer(_SECRET_OF.get(target.auth_type, ""))
    if argued is not None:
        if place is None:
            return False
        # The argument hides which host the secret is for: that is the one beside it, if there is one.
        layers = Layers(layers.profile, layers.config_file, {place: layers.layers[place]})
    elsewhere = _elsewhere(target, layers)
    if elsewhere and place:
        others.append(elsewhere)
    return bool(elsewhere)


def _elsewhere(target: Target, layers: Layers) -> str:
    """How the workspace that is configured here is another one; empty if it is not, or if none is named."""
    try:
        if named := layers.get("host"):
            host, workspace = normalize_host(named), workspace_of(named)
            said = f"host is {host} ({_place(layers.source('host'), layers.profile)})"
            if host != target.host:
                return f"{said}, not {target.host or 'the one that Azure names'}"
            differs = workspace and target.workspace_id and workspace != target.workspace_id
            return f"{said}, workspace {workspace}, not {target.workspace_id}" if differs else ""
        # Azure is asked then, unless the host was an argument, for that of a workspace that is not compared here.
        resource = None if target.sources.get("host") == ARGUMENT else layers.get(_RESOURCE)
    except ConfigurationError as error:
        return error.message
    if not target.host or resource is None or _is_same(_RESOURCE, resource, target.sdk_settings.get(_RESOURCE)):
        return ""
    return f"{_RESOURCE} is {resource} ({_place(layers.source(_RESOURCE), layers.profile)}), and no host is named"


def _is_of_one_kind(target: Target, other: Target) -> bool:
    if target.is_delegated:  # one of the SDK's tokens is for its host alone
        return (target.auth_type, target.host) == (other.auth_type, other.host)
    return target.client_id == other.client_id


def _is_of_another(target: Target, here: Target, others: list[str]) -> bool:
    """Whether one of the SDK's identities is another one on this machine, as far as both say it."""
    if not target.is_delegated:
        return False
    for name in (*_IDENTITY.get(target.auth_type, ()), "account_id", "workspace_id"):
        ours, theirs = (each.sdk_settings.get(name) or getattr(each, name, None) for each in (target, here))
        if ours and theirs and not _is_same(name, ours, theirs):
            if _SECRET_OF.get(target.auth_type) in here.sdk_settings:
                place = _place(here.sources.get(name, here.sources.get("host", "")), here.profile)
                others.append(f"{name} is {theirs} ({place}), not {ours}")
            return True
    return False


def _is_same(name: str, one: str, other: str | None) -> bool:
    if other is None:
        return False
    if name.startswith("azure_"):  # GUIDs, names of clouds and ids of resources: in either case, as Azure has it
        return one.lower() == other.lower()
    return person_key(one) == person_key(other)


def _place(source: str, profile: str | None) -> str:
    return f"profile {profile}" if source == PROFILE else source
