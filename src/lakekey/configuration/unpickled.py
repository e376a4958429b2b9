"""The secrets that `pickle` left behind, found again in the configuration of this machine."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from lakekey._hosts import normalize_host
from lakekey.configuration.layers import ARGUMENT, read_layers
from lakekey.configuration.target import Target, resolve
from lakekey.errors import ConfigurationError


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


def resolved_here(target: Target) -> Iterator[Target]:
    """The same target as this machine's configuration has it, which knows the secrets that `pickle` left behind.

    The file that it was read from may be here, or another one; the profile, or just the environment; and what the
    caller gave as an argument may stand in neither.

    Args:
        target: The target as it was unpickled.
    """
    own: dict[str, Any] = {"host": target.host, "client_id": target.client_id or None}
    if not target.is_person:
        own["auth_type"] = target.auth_type
    elif target.connect_url:  # a portal's app, which is found by the person
        own["user"] = target.user
    for profile, config_file in ((target.profile, target.config_file), (target.profile, None), (None, None)):
        if target.is_delegated and _leads_elsewhere(target, profile, config_file):
            continue
        for given in ({}, own):
            with contextlib.suppress(ConfigurationError):
                here = resolve(profile, config_file=config_file, **given)
                if _signs_in_alike(target, here):
                    yield here


def _leads_elsewhere(target: Target, profile: str | None, config_file: str | None) -> bool:
    """Whether this machine's configuration names another host, or none that is understood: its token is that host's."""
    if target.sources.get("host") == ARGUMENT:
        return False
    try:
        layers = read_layers(profile, os.environ, {"config_file": config_file})
        named = layers.get("host")
        if not named:  # Azure is asked then, for the host of a workspace that is not compared here
            return target.host != "" and layers.layer("azure_workspace_resource_id") is not None
        return normalize_host(named) != target.host
    except ConfigurationError:
        return True


def _signs_in_alike(target: Target, other: Target) -> bool:
    if target.is_delegated:  # one of the SDK's tokens is for its host alone
        return (target.auth_type, target.host) == (other.auth_type, other.host)
    return target.client_id == other.client_id
