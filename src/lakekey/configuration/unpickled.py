"""The secrets that `pickle` left behind, found again in the configuration of this machine."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

from lakekey._hosts import account_of, normalize_host, workspace_of
from lakekey.configuration.layers import ARGUMENT, PROFILE, Layers, read_layers
from lakekey.configuration.target import Target, person_key, target_of
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
                layers = read_layers(profile, os.environ, {"config_file": config_file, **given})
                if target.is_delegated and _stands_beside_another(target, layers, others):
                    continue
                here = target_of(layers, os.environ)
                if _is_of_one_kind(target, here) and not _is_of_another(target, here, others):
                    yield here


def _leads_elsewhere(target: Target, profile: str | None, config_file: str | None, others: list[str]) -> bool:
    """Whether this machine's configuration leads to another workspace, or to none that is understood."""
    if target.sources.get("host") == ARGUMENT:  # the caller said where it leads
        return False
    try:
        layers = read_layers(profile, os.environ, {"config_file": config_file})
    except ConfigurationError:
        return True
    try:
        elsewhere = _other_host(target, layers) or _other_resource(target, layers)
    except ConfigurationError as error:
        elsewhere = error.message
    if elsewhere and layers.layer(_SECRET_OF.get(target.auth_type, "")):
        others.append(elsewhere)
    return bool(elsewhere)


def _stands_beside_another(target: Target, layers: Layers, others: list[str]) -> bool:
    """Whether a secret is another's by what its own layer says, which a stronger layer may hide."""
    place = layers.layer(_SECRET_OF.get(target.auth_type, ""))
    if place is None:
        return False
    said = {name: value for name, value in layers.layers[place].items() if not _was_overridden(target, name)}
    beside = Layers(layers.profile, layers.config_file, {place: said})
    try:
        theirs = {name: beside.get(name) for name in _compared(target)}
        if not _was_overridden(target, "account_id"):
            theirs["account_id"] = theirs["account_id"] or account_of(str(beside.raw("host")))
        another = _other_host(target, beside) or _other_identity(target, theirs, beside.sources(), beside.profile)
    except ConfigurationError as error:
        another = error.message
    if another:
        others.append(another)
    return bool(another)


def _was_overridden(target: Target, name: str) -> bool:
    """Whether a variable stood before the profile of the secret when this was pickled, and so was meant to count."""
    secret = _SECRET_OF.get(target.auth_type, "")
    return target.sources.get(secret) == PROFILE and target.sources.get(name) not in (None, PROFILE, ARGUMENT)


def _other_host(target: Target, layers: Layers) -> str:
    """How the host that is configured here is another one; empty if it is not, or if none is named."""
    named = layers.get("host")
    if not named:
        return ""
    host, workspace = normalize_host(named), workspace_of(named)
    said = f"host is {host} ({_place(layers.source('host'), layers.profile)})"
    if host != target.host:
        return f"{said}, not {target.host or 'the one that Azure names'}"
    differs = workspace and target.workspace_id and workspace != target.workspace_id
    return f"{said}, workspace {workspace}, not {target.workspace_id}" if differs else ""


def _other_resource(target: Target, layers: Layers) -> str:
    """How Azure would be asked for the host of another resource; empty if it would not."""
    # Without a host, Azure is asked for that of the resource, so the resource is compared.
    resource = None if layers.layer("host") else layers.get(_RESOURCE)
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
    another = _other_identity(target, _said(here, _compared(target)), here.sources, here.profile)
    if another and _SECRET_OF.get(target.auth_type) in here.sdk_settings:
        others.append(another)
    return bool(another)


def _other_identity(target: Target, theirs: Mapping[str, Any], sources: Mapping[str, str], profile: str | None) -> str:
    """How what is said here is another identity's, as far as the target says it too; empty if it is not."""
    for name, ours in _said(target, _compared(target)).items():
        if ours and theirs[name] and not _is_same(name, ours, theirs[name]):
            place = _place(sources.get(name, sources.get("host", "")), profile)
            return f"{name} is {theirs[name]} ({place}), not {ours}"
    return ""


def _compared(target: Target) -> tuple[str, ...]:
    return (*_IDENTITY.get(target.auth_type, ()), "account_id", "workspace_id")


def _said(target: Target, names: tuple[str, ...]) -> Mapping[str, Any]:
    return {name: target.sdk_settings.get(name) or getattr(target, name, None) for name in names}


def _is_same(name: str, one: str, other: str | None) -> bool:
    if other is None:
        return False
    if name.startswith("azure_"):  # GUIDs, names of clouds and ids of resources: in either case, as Azure has it
        return one.lower() == other.lower()
    return person_key(one) == person_key(other)


def _place(source: str, profile: str | None) -> str:
    if source != PROFILE:
        return source
    return f"profile {profile}" if profile else "the default profile"
