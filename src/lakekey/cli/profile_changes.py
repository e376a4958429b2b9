"""``lakekey profiles add|remove|set-default|rename``: what changes the file."""

import argparse
import os

from lakekey import _commands
from lakekey._hosts import account_of, names_no_workspace, normalize_host, workspace_of
from lakekey.cli.output import print_json, print_text
from lakekey.configuration import databrickscfg, profile_writer
from lakekey.configuration.target import resolve
from lakekey.errors import ConfigurationError

_SETTINGS = ("warehouse_id", "cluster_id", "auth_type", "client_id", "account_id", "user", "scopes", "ca_file")
_ORDER = ("host", "workspace_id", *_SETTINGS)
#: A token would be sent to the new host.
_OF_A_HOST = (
    "account_id", "workspace_id", "warehouse_id", "cluster_id", "http_path", "discovery_url", "token", "password",
    "azure_workspace_resource_id", "metadata_service_url", "token_audience", "audience",
)  # fmt: skip
_OF_THE_ACCOUNT = ("account_id", "discovery_url", "token_audience", "audience")
#: What is of one workspace, where a host serves several of an account.
_OF_A_WORKSPACE = tuple(each for each in _OF_A_HOST if each not in _OF_THE_ACCOUNT)
#: It is the account's, which may have several hosts, and goes to the token endpoint of the host in force.
_SENT_ON = "client_secret"


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
    before = _before(path, name)
    if (workspace := _workspace_that_stays(before, values, arguments.host)) is not None:
        values["workspace_id"] = workspace
    former, of_it = _of_another_place(before, values, name, arguments.host)
    gone = [each for each in of_it if each not in values]
    changes: dict[str, str | None] = {each: values[each] for each in _ORDER if each in values}
    changes |= dict.fromkeys(gone)
    copy = profile_writer.write_profile(path, name, changes, replace=arguments.replace)
    kept = [each for each in before if each not in changes] if former else []
    said = f"Wrote the profile {name} to {path}."
    if workspace is not None:
        said += f" It stays in the workspace {workspace}, which its address named."
    said += _of_the_rest(former, gone, kept, values.get("host", ""))
    step = f"lakekey login {_commands.profile(name)}"
    return _done(arguments, path, copy, said, step, removed=gone, kept=kept)


def _of_the_rest(former: str, gone: list[str], kept: list[str], host: str) -> str:
    """What a profile lost with the host or workspace that it had, what it kept, and where its secret goes now."""
    said = f" Removed with the {former} that it had: {', '.join(gone)}." if gone else ""
    said += f" Kept: {', '.join(kept)}." if kept else ""
    if former == "host" and _SENT_ON in kept:
        said += f" From now on {_SENT_ON} is sent to {host}: remove it unless that host is of the same account."
    return said


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


def _before(path: str, name: str) -> dict[str, str]:
    """What a profile says now."""
    found, _ = databrickscfg.profiles(path)
    return dict(next((each.values for each in found if each.name == name), {}))


def _is_the_host(before: dict[str, str], values: dict[str, str], name: str) -> bool:
    try:
        return normalize_host(before["host"], name) == values["host"]
    except ConfigurationError:  # what cannot be a host is another one
        return False


def _workspace_that_stays(before: dict[str, str], values: dict[str, str], host: str | None) -> str | None:
    """The workspace that only a profile's address names, where the same host is given without one."""
    if "host" not in values or "workspace_id" in values or before.get("workspace_id", "").strip():
        return None
    in_address = workspace_of(before.get("host", ""))
    if in_address is None or names_no_workspace(host or "") or not _is_the_host(before, values, ""):
        return None
    return in_address


def _of_another_place(
    before: dict[str, str], values: dict[str, str], name: str, host: str | None
) -> tuple[str, list[str]]:
    """What a profile says that is of the host or workspace which it had, and would be wrong at the one that it gets."""
    if "host" not in values or not before.get("host", "").strip():
        return "", []
    if not _is_the_host(before, values, name):
        return "host", [each for each in _OF_A_HOST if before.get(each)]
    had = before.get("workspace_id", "").strip() or workspace_of(before["host"]) or "none"
    now = values.get("workspace_id") or ("none" if names_no_workspace(host or "") else had)
    if had.lower() == "none" or now == had:
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
    arguments: argparse.Namespace,
    path: str,
    copy: str | None,
    said: str,
    step: str | None,
    *,
    but: str = "",
    **names: list[str],
) -> int:
    if arguments.json:
        print_json({"profile": arguments.name, "config_file": path, "copy": copy, **names})
    else:
        print_text(said)
        if copy:
            print_text(f"The file as it was before{but}: {copy}")
        if step:
            print(f"Next: {step}")
    return 0
