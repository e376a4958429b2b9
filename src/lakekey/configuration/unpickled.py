"""The secrets that `pickle` left behind, found again in the configuration of this machine.

What stands beside a secret in its own place, the variables or the profile, says whose it is and where it may be sent.
Where that is silent, what is in force here does.
"""

from __future__ import annotations

import contextlib
import os

from lakekey.configuration.auth_type import select
from lakekey.configuration.beside import said
from lakekey.configuration.layers import ARGUMENT, ENVIRONMENT, PROFILE, SEALED, Layers, SourcedValue, read_layers
from lakekey.configuration.settings import SETTINGS
from lakekey.configuration.target import RESOURCE, SECRETS, Target, person_key
from lakekey.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def client_secret(target: Target) -> str:
    """The client secret of a service principal or an app, found again where `pickle` did not carry it along.

    Args:
        target: What the secret signs in to.

    Raises:
        ConfigurationError: The secret is not here, or what is here is another app's, or for another host.
    """
    return target.client_secret or _found(target, "client_secret")


def sdk_settings(target: Target) -> Mapping[str, str]:
    """What the SDK's strategy reads, with the secret that `pickle` left behind found again.

    Nothing but the secret is taken from this machine: it names no other workspace, tenant or cloud than the target.

    Args:
        target: What the strategy signs in to.

    Raises:
        ConfigurationError: The secret is not here, or what is here is another identity's, or for another workspace.
    """
    name, _ = SECRETS.get(target.auth_type, ("", ()))
    if name not in target.sources or name in target.sdk_settings:
        return target.sdk_settings
    return {**target.sdk_settings, name: _found(target, name)}


def _found(target: Target, name: str) -> str:
    others = []
    for here in _configurations(target):
        for place in _places(target, name, here):
            another = _another(target, here, place)
            if not another:
                return str(place.get(name))
            others.append(another)
    missing = f"{name} of this provider is missing here: pickles do not carry it"
    variable = SETTINGS[name].variables[0]
    if others:
        raise ConfigurationError(
            f"{missing}, and the one that is here is for another identity or workspace: {others[0]}",
            hint=f"set {variable} and what belongs to it in the environment here, or in the profile on this machine",
            profile=target.name,
        )
    raise ConfigurationError(
        missing, hint=f"set {variable} here, or add the profile on this machine", profile=target.name
    )


def _configurations(target: Target) -> Iterator[Layers]:
    """What this machine says, beneath the caller's arguments.

    The file that the target was read from may be here, or another one, or neither: then the default chain counts. It
    passes the default profile over where an argument is a host, but that profile may have the secret here.
    """
    given = {name: value for name, value in _values(target).items() if target.sources.get(name) == ARGUMENT}
    is_here = False
    for profile, config_file, arguments in (
        (target.profile, target.config_file, given),
        (target.profile, None, given),
        (None, None, given),
        (None, None, {}),
    ):
        if profile or not is_here:
            with contextlib.suppress(ConfigurationError):
                here = read_layers(profile, os.environ, {"config_file": config_file, **arguments})
                is_here = is_here or profile is not None
                yield here


def _places(target: Target, name: str, here: Layers) -> Iterator[Layers]:
    """Each place here that has the secret, with what that place says by itself."""
    layers = here.copy()
    if name == "client_secret":
        own = {**_values(target), "user": target.user if target.connect_url else None}
        own["auth_type"] = None if target.is_person else target.auth_type
        layers.layers[ARGUMENT].update({each: SourcedValue(value, ARGUMENT) for each, value in own.items() if value})
        try:
            select(layers, os.environ)  # takes out what does not count, and adds what is sealed in the cache
        except ConfigurationError:
            return
        layers.layers[SEALED].update(layers.layers[ARGUMENT])  # for which it is sealed
        for layer in (ENVIRONMENT, PROFILE):
            if not layers.has(layer, "client_id"):
                here.layers[layer].pop("client_id", None)
    # Another profile than the target's has to say what its secret is for, and so has one that was not named.
    is_own = here.profile is not None and here.profile == target.profile
    if not (is_own or here.layer("host") or here.layer(RESOURCE)):
        layers.layers[PROFILE].clear()
    for place in (ENVIRONMENT, PROFILE, SEALED):
        if layers.has(place, name):
            yield layers.copy(place)


def _another(target: Target, here: Layers, place: Layers) -> str:
    """How a secret is another identity's, or for another workspace; empty if it is not, as far as is said."""
    secret, names = SECRETS[target.auth_type]
    if target.beside is None and secret == "client_secret":
        names = ("client_id",)  # an earlier release compared no more
    values = {name: SourcedValue(value, ARGUMENT) for name, value in _values(target).items()}
    ours = said(Layers(None, None, {ARGUMENT: values}), names)
    by_itself = {name: value for name, value in said(place, names).items() if not _is_known(target, place, name, value)}
    if target.auth_type == "azure-client-secret" and RESOURCE not in ours:
        by_itself.pop(RESOURCE, None)  # the secret of such an app is for each of its workspaces
    told = ((place, by_itself), (here, said(here, names)))
    for name in names:
        for layers, theirs in told:
            if name not in theirs:
                continue
            if _is_same(name, theirs[name], ours.get(name)):
                break
            difference = f"{name} is {theirs[name]} ({_shown(layers, name)})"
            if name in ours:
                return f"{difference}, not {ours[name]}"
            if name == "host":
                return f"{difference}, not the one that Azure names"
            if name == RESOURCE and "host" in ours and "host" not in theirs:  # then Azure is asked for the host
                return f"{difference}, and no host is named"
    return ""


def _is_known(target: Target, place: Layers, name: str, value: str) -> bool:
    """Whether the place of the secret said so as well where this was pickled, beneath a stronger place."""
    secret, _ = SECRETS[target.auth_type]
    was_in = PROFILE if target.sources.get(secret) == PROFILE else ENVIRONMENT
    if target.beside is None:  # an earlier release did not remember it
        return was_in == PROFILE and target.sources.get(name) not in (None, PROFILE, ARGUMENT)
    is_there = was_in in place.layers and (was_in == ENVIRONMENT or place.profile == target.profile)
    return is_there and (name, value) in target.beside


def _values(target: Target) -> dict[str, str]:
    _, names = SECRETS[target.auth_type]
    values = {name: target.sdk_settings.get(name) or getattr(target, name, None) for name in names}
    return {name: value for name, value in values.items() if value}


def _is_same(name: str, one: str, other: str | None) -> bool:
    if other is None:
        return False
    if name.startswith("azure_"):  # GUIDs, names of clouds and ids of resources: in either case, as Azure has it
        return one.lower() == other.lower()
    return person_key(one) == person_key(other)


def _shown(layers: Layers, name: str) -> str:
    source = layers.source(name) or layers.source("host")
    if source != PROFILE:
        return source
    return f"profile {layers.profile}" if layers.profile else "the default profile"
