"""From arguments, environment and profile to one value for each setting, and where it came from.

The order is the SDK's: the caller's arguments, the environment, the profile. What is departed from the SDK on purpose
stands in docs/reference/configuration.md and is tested as such.
"""

from __future__ import annotations

import os

from lakekey._hosts import account_of, names_no_workspace, normalize_host, workspace_of
from lakekey._imports import LOADING
from lakekey._named_tuple import NamedTuple
from lakekey.configuration import databrickscfg
from lakekey.configuration.settings import CONFIG_FILE, SETTINGS, checked
from lakekey.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from lakekey.cache.app_registrations import AppRegistration

ARGUMENT = "argument"
PROFILE = "profile"
ENVIRONMENT = "environment"
#: A client secret that `lakekey secret set` has sealed; the weakest layer.
SEALED = "cache"


class SourcedValue(NamedTuple):
    """A value as it was found.

    Attributes:
        value: The value, as it was given.
        source: ``argument``, a variable's name, or ``profile``.
    """

    value: Any
    source: str

    def __repr__(self) -> str:
        return f"SourcedValue(source={self.source!r})"  # the value may be a secret


class Layers:
    """What each layer says, from the strongest to the weakest; and what is not listened to, and why.

    Attributes:
        profile: The profile's name, or ``None`` if none was read or none was named.
        config_file: The file that it was read from, or ``None``.
        layers: Level → setting → what it says.
        ignored: Setting and source → why it does not count.
        keys: What the profile calls its settings, whether or not there are settings of these names.
        others: The profiles that the file has, where none was named and none is the default one.
        connect_url: Where the person named by ``user`` signs in, where a portal does that.
        older_secret: The secret of the app that ``client_secret`` replaces, while both are valid.
        registered: Gives the app registrations of the store that the environment names, where the caller has that
            store open; ``None`` to open it for them.
    """

    def __init__(
        self, profile: str | None, config_file: str | None, layers: Mapping[str, dict[str, SourcedValue]]
    ) -> None:
        self.profile = profile
        self.config_file = config_file
        self.layers = layers
        self.ignored: dict[tuple[str, str], str] = {}
        self.keys: tuple[str, ...] = ()
        self.others: list[str] = []
        self.connect_url: str | None = None
        self.older_secret: str | None = None
        self.registered: Callable[[], Sequence[AppRegistration]] | None = None

    def has(self, layer: str, name: str) -> bool:
        """Whether a layer has a say on a setting."""
        return name in self.layers[layer]

    def layer(self, name: str) -> str | None:
        """The strongest layer that has a say on a setting."""
        for layer, found in self.layers.items():  # no generator: this is asked 170 times for a target
            if name in found:
                return layer
        return None

    def raw(self, name: str) -> Any:
        """The value in force, as it was given; ``None`` if there is none."""
        layer = self.layer(name)
        return self.layers[layer][name].value if layer else None

    def source(self, name: str) -> str:
        """Where the value in force comes from; empty if there is none."""
        for found in self.layers.values():
            if name in found:
                return found[name].source
        return ""

    def get(self, name: str) -> Any:
        """The value in force, brought into form.

        Raises:
            ConfigurationError: It is not what the setting takes.
        """
        layer = self.layer(name)
        if layer is None:
            return None
        found = self.layers[layer][name]
        value = checked(name, found.value, found.source, self.profile)
        # Written by tools for the account itself, which has no workspace.
        return None if name == "workspace_id" and value.lower() == "none" else value

    def copy(self, *places: str) -> Layers:
        """What the layers, or some of them alone, say now: what is changed in the copy is not changed here."""
        kept = places or tuple(self.layers)
        return Layers(self.profile, self.config_file, {place: dict(self.layers[place]) for place in kept})

    def take_account_of_the_host(self) -> None:
        """A console's address that was copied from the browser may name the account; it is as strong as the address."""
        layer, host = self.layer("host"), self.raw("host")
        if layer is None or not isinstance(host, str) or self.has(layer, "account_id"):
            return
        account = account_of(host)
        if account is not None:
            self.layers[layer]["account_id"] = SourcedValue(account, self.source("host"))

    def take_workspace_of_the_host(self) -> None:
        """A workspace's id belongs to the host that stands beside it.

        An address that was copied from the browser may name the workspace, or none (``?o=none``); that is as strong as
        the address, and its layer's own ``workspace_id`` stronger. An id beside another host than the one in force does
        not count.
        """
        for found in self.layers.values():
            host = found.get("host")
            if host is None or "workspace_id" in found or not isinstance(host.value, str):
                continue
            workspace = workspace_of(host.value) or ("none" if names_no_workspace(host.value) else None)
            if workspace is not None:
                found["workspace_id"] = SourcedValue(workspace, host.source)
        chosen = False
        for layer, found in self.layers.items():
            if chosen and "host" in found and "workspace_id" in found and not self._is_the_host(found["host"].value):
                self.ignore(layer, "workspace_id", "it stands beside another host")
            chosen = chosen or "host" in found

    def _is_the_host(self, other: Any) -> bool:
        """Whether a weaker layer's host is the one in force."""
        try:
            return normalize_host(other) == normalize_host(self.raw("host"))
        except ConfigurationError:  # raised for the host in force where that is the one which is wrong
            return False

    def ignore(self, layer: str, name: str, why: str) -> None:
        """Listen to one layer no longer, as to one setting."""
        found = self.layers[layer].pop(name, None)
        if found is not None:
            self.ignored[name, found.source] = why

    def sources(self) -> dict[str, str]:
        """Setting → where its value comes from."""
        sources = {name: self.source(name) for name in (*SETTINGS, "config_file")}
        return {name: source for name, source in sources.items() if source}


def read_layers(profile: str | None, environ: Mapping[str, str], arguments: Mapping[str, Any]) -> Layers:
    """Read what each layer says.

    Args:
        profile: A profile that the caller named, or ``None``.
        environ: The environment.
        arguments: The caller's settings; ``None`` counts as not given.

    Raises:
        ConfigurationError: A setting that does not exist; a profile that is named and is not there; a file that cannot
            be read.
    """
    unknown = sorted(set(arguments) - set(SETTINGS) - {"config_file"})
    if unknown:
        with LOADING:
            from lakekey.configuration.suggestion import nearest

        near = nearest(unknown[0], SETTINGS)
        hint = f"did you mean {near}?" if near else f"settings: {', '.join(SETTINGS)}"
        raise ConfigurationError(f"there is no setting {unknown[0]!r}", hint=hint)
    wanted = _wanted_profile(profile, environ)
    # Looked at now: an argument that is empty or of the wrong type is never passed over for a weaker layer.
    given = {
        name: SourcedValue(checked(name, value, ARGUMENT, wanted), ARGUMENT)
        for name, value in arguments.items()
        if value is not None
    }
    config_file = given.pop("config_file").value if "config_file" in given else None
    around: dict[str, SourcedValue] = {}
    for name, setting in SETTINGS.items():
        for variable in setting.variables:
            # Blank is unset: that is how a variable is taken back in a shell, a Dockerfile or a CI system.
            if name not in around and environ.get(variable, "").strip():
                around[name] = SourcedValue(environ[variable], variable)
    found = None
    if wanted is not None or not directly_configured(given, around):
        found = _profile(wanted, profile is not None, config_file, environ, {*given, *around})
    if found is not None and config_file is not None:
        given["config_file"] = SourcedValue(found.path, ARGUMENT)
    layers = Layers(
        found.name if found else None,
        found.path if found else None,
        {ARGUMENT: given, ENVIRONMENT: around, PROFILE: _settings_of(found) if found else {}, SEALED: {}},
    )
    if found is not None:
        layers.keys = tuple(found.values)
    if found is None and wanted is None and not directly_configured(given, around):
        known, _ = databrickscfg.profiles(_path(config_file, environ))
        layers.others = [str(profile.name) for profile in known]
    return layers


def directly_configured(*layers: Mapping[str, SourcedValue]) -> str | None:
    """What is configured without a profile, so that, as in the SDK, a default one is not mixed in; ``None``: nothing.

    Returns:
        Where it is configured: ``argument``, or a variable's name.
    """
    for layer in layers:
        for name, found in layer.items():
            if name == "host" or SETTINGS.get(name, CONFIG_FILE).method:
                return found.source
    return None


def _wanted_profile(profile: str | None, environ: Mapping[str, str]) -> str | None:
    if profile is None:
        return environ.get("DATABRICKS_CONFIG_PROFILE", "").strip() or None
    if not isinstance(profile, str):
        raise ConfigurationError(
            f"the profile is of type {type(profile).__name__}, not text", hint="give a profile's name"
        )
    if not profile.strip():
        raise ConfigurationError(
            "the profile's name is empty", hint="name a profile, or give None for the default chain"
        )
    return profile.strip()


def _profile(
    wanted: str | None, named_here: bool, config_file: str | None, environ: Mapping[str, str], configured: set[str]
) -> databrickscfg.Profile | None:
    path = _path(config_file, environ)
    if wanted is not None and not named_here and "host" in configured and not os.path.lexists(path):
        # The SDK's rule, which containers rely on: a variable may name a profile that only other machines have.
        return None
    return databrickscfg.read(path, wanted)


def _path(config_file: str | None, environ: Mapping[str, str]) -> str:
    return databrickscfg.location(config_file or environ.get("DATABRICKS_CONFIG_FILE", "").strip() or None)


def _settings_of(profile: databrickscfg.Profile) -> dict[str, SourcedValue]:
    settings = {}
    for name, setting in SETTINGS.items():
        for key in (name, *setting.aliases):
            if name not in settings and profile.values.get(key, "").strip():
                settings[name] = SourcedValue(profile.values[key], PROFILE)
    return settings
