"""What is configured, where it comes from, and what contradicts it."""

from collections.abc import Iterator
from typing import Any

from lakekey._hosts import LOOPBACK, cloud_of
from lakekey.cache.stores import places
from lakekey.cli.doctor.finding import OK, WARNING, Check
from lakekey.configuration import databrickscfg
from lakekey.configuration.auth_type import conflicts
from lakekey.configuration.layers import ENVIRONMENT, PROFILE, Layers
from lakekey.configuration.settings import SETTINGS
from lakekey.configuration.suggestion import OTHER_KEYS, nearest
from lakekey.configuration.target import Target

_TO_BE_HEARD = "give workspace_id beside the host that counts, or put ?o= into its address"


def settings(target: Target) -> list[dict[str, str]]:
    """Each setting that has a value: its name, its value, or ``(set)`` for a secret, and its source."""
    rows = []
    for name, setting in SETTINGS.items():
        value: Any = target.sdk_settings.get(name) if setting.delegated else getattr(target, name)
        if name in target.sources or name in ("auth_type", "client_id", "http_path", "scopes"):
            shown = " ".join(value) if isinstance(value, tuple) else str(value)
            # A store, or an address that was pasted, may hold a password of its own.
            if name == "store" and value:
                shown = places.shown(shown)
            shown = " ".join(_without_user(word) for word in shown.split(" "))
            if setting.secret:
                shown = "(set)" if value or name in target.sources else ""
            if value or name in target.sources:
                source = target.sources.get(name, "default")
                rows.append({"name": name, "value": shown if value else "(not used)", "source": source})
    return rows


def _without_user(word: str) -> str:
    scheme, mark, rest = word.partition("://")
    return f"{scheme}{mark}…@{rest.rpartition('@')[2]}" if "@" in rest else word


def check_configuration(layers: Layers, target: Target) -> Check:
    """Whose configuration it is, and which grant it means."""
    where = f"profile {layers.profile or 'DEFAULT'} of {layers.config_file}" if layers.config_file else "no profile"
    how = f"{target.auth_type} ({target.sources.get('auth_type', 'chosen by what is configured')})"
    host = target.host
    if not host:
        return Check("configuration", OK, f"{where}: {how}, for azure_workspace_resource_id")
    if cloud_of(host) is None and not any(name in host for name in LOOPBACK):
        return Check(
            "configuration",
            WARNING,
            f"{where}: {how} at {host}, which is in none of the platform's DNS zones",
            "compare the host with the workspace's address in the browser",
        )
    return Check("configuration", OK, f"{where}: {how} at {host}")


def check_conflicts(layers: Layers, target: Target) -> Iterator[Check]:
    """Settings that lose against others, which is right or a surprise."""
    found = False
    for name, around in layers.layers[ENVIRONMENT].items():
        own = layers.layers[PROFILE].get(name)
        if own is not None and layers.layer(name) == ENVIRONMENT and _differ(own.value, around.value):
            found = True
            yield Check(
                "conflicts",
                WARNING,
                f"{around.source} overrides {name} of the profile",
                f"unset {around.source}, if the profile is meant",
            )
    for conflict in conflicts(layers, target.auth_type):
        found = True
        lost = conflict.startswith("workspace_id (")  # by its host, which no auth_type changes
        yield Check(
            "conflicts", WARNING, conflict, _TO_BE_HEARD if lost else "remove it, or name auth_type to choose it"
        )
    if not found:
        yield Check("conflicts", OK, "none")


def _differ(one: object, other: object) -> bool:
    return str(one).strip().rstrip("/") != str(other).strip().rstrip("/")


def check_keys(layers: Layers) -> Iterator[Check]:
    """Whether the profile has keys that are not settings, most often by a typing error."""
    if layers.config_file is None:
        return
    known = {*SETTINGS, *OTHER_KEYS, *(alias for setting in SETTINGS.values() for alias in setting.aliases)}
    name = layers.profile or "DEFAULT"
    found, _ = databrickscfg.profiles(layers.config_file)
    keys = next((profile.values for profile in found if profile.name == name), {})
    strange = sorted(set(keys) - known)
    if strange:
        near = {key: nearest(key, SETTINGS) for key in strange}
        named = ", ".join(f"{key} (did you mean {near[key]}?)" if near[key] else key for key in strange)
        yield Check(
            "profile keys",
            WARNING,
            f"{named}: no setting of that name",
            f"fix the spelling in [{name}] of {layers.config_file}",
        )
    else:
        yield Check("profile keys", OK, f"{len(keys)} keys, all known")
