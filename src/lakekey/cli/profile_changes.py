"""``lakekey profiles add|remove|set-default|rename``: what changes the file."""

import argparse
import os

from lakekey import _commands
from lakekey._hosts import account_of, normalize_host, workspace_of
from lakekey.cli.output import print_json, print_text
from lakekey.configuration import databrickscfg, profile_writer
from lakekey.configuration.target import resolve
from lakekey.errors import ConfigurationError

_SETTINGS = ("warehouse_id", "cluster_id", "auth_type", "client_id", "account_id", "user", "scopes", "ca_file")
_ORDER = ("host", "workspace_id", *_SETTINGS)
#: A token would be sent to the new host. A service principal's secret is the account's: it stays.
_OF_A_HOST = (
    "account_id", "workspace_id", "warehouse_id", "cluster_id", "http_path", "discovery_url", "token", "password",
)  # fmt: skip
#: What is of one workspace, where a host serves several of an account.
_OF_A_WORKSPACE = tuple(each for each in _OF_A_HOST if each not in ("account_id", "discovery_url"))


def add(arguments: argparse.Namespace) -> int:
    """Write a profile; with ``--replace``, change the one that is there."""
    path, name = _path(arguments), arguments.name
    values = {setting: value for setting in _SETTINGS if (value := getattr(arguments, setting)) is not None}
    if arguments.host is not None:
        values["host"] = normalize_host(arguments.host, name)
        if workspace := workspace_of(arguments.host):
            values["workspace_id"] = workspace
        if account := account_of(arguments.host):
            values.setdefault("account_id", account)
    elif not arguments.replace:
        raise ConfigurationError(
            "a new profile needs --host", hint=f"lakekey profiles add {_commands.profile(name)} --host https://…"
        )
    if "host" in values:
        _check(values, name)
    former, of_it = _of_another_place(path, name, values)
    gone = [each for each in of_it if each not in values]
    changes: dict[str, str | None] = {each: values[each] for each in _ORDER if each in values}
    changes |= dict.fromkeys(gone)
    kept = profile_writer.write_profile(path, name, changes, replace=arguments.replace)
    said = f"Wrote the profile {name} to {path}."
    if gone:
        said += f" Removed with the {former} that it had: {', '.join(gone)}."
    return _done(arguments, path, kept, said, f"lakekey login {_commands.profile(name)}")


def remove(arguments: argparse.Namespace) -> int:
    """Remove a profile; its session is another matter."""
    path = _path(arguments)
    kept = profile_writer.remove_profile(path, arguments.name)
    said = f"Removed the profile {arguments.name} from {path}."
    return _done(arguments, path, kept, said, None, but=", but for secrets that were only in that profile")


def set_default(arguments: argparse.Namespace) -> int:
    """Choose the profile that is used where none is named."""
    path = _path(arguments)
    kept = profile_writer.set_default_profile(path, arguments.name)
    return _done(arguments, path, kept, f"{arguments.name} is the default profile of {path}.", None)


def rename(arguments: argparse.Namespace) -> int:
    """Give a profile another name."""
    path = _path(arguments)
    kept = profile_writer.rename_profile(path, arguments.name, arguments.new)
    return _done(arguments, path, kept, f"The profile {arguments.name} is now {arguments.new}.", None)


def _of_another_place(path: str, name: str, values: dict[str, str]) -> tuple[str, list[str]]:
    """What a profile says that is of the host or workspace which it had, and would be wrong at the one that it gets."""
    found, _ = databrickscfg.profiles(path)
    before = next((each.values for each in found if each.name == name), {})
    if "host" not in values or not before.get("host", "").strip():
        return "", []
    try:
        stays = normalize_host(before["host"], name) == values["host"]
    except ConfigurationError:  # what cannot be a host is another one
        stays = False
    if not stays:
        return "host", [each for each in _OF_A_HOST if before.get(each)]
    had = before.get("workspace_id", "").strip() or workspace_of(before["host"]) or "none"
    if had.lower() == "none" or values.get("workspace_id", had) == had:
        return "", []
    return "workspace", [each for each in _OF_A_WORKSPACE if before.get(each)]


def _path(arguments: argparse.Namespace) -> str:
    return databrickscfg.location(arguments.config_file or os.environ.get("DATABRICKS_CONFIG_FILE", "").strip())


def _check(values: dict[str, str], name: str) -> None:
    """Refuse what would not resolve, apart from a secret that is sealed later."""
    own = {setting: value for setting, value in values.items() if setting != "workspace_id"}
    if values.get("auth_type") == "oauth-m2m":
        own["client_secret"] = "(sealed later)"
    try:
        resolve(None, {}, **own)
    except ConfigurationError as error:
        error.profile = name
        raise


def _done(
    arguments: argparse.Namespace, path: str, kept: str | None, said: str, step: str | None, *, but: str = ""
) -> int:
    if arguments.json:
        print_json({"profile": arguments.name, "config_file": path, "copy": kept})
    else:
        print_text(said)
        if kept:
            print_text(f"The file as it was before{but}: {kept}")
        if step:
            print(f"Next: {step}")
    return 0
