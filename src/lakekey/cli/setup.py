"""The guided set-up of ``lakekey login``: which workspace, under which name, on which compute; and its profile."""

import argparse
import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from lakekey import _commands
from lakekey._hosts import LOOPBACK, account_of, normalize_host, workspace_of
from lakekey.cli import prompt, workspace_address
from lakekey.cli.arguments import target_settings
from lakekey.cli.compute_choice import choose_compute
from lakekey.cli.output import print_error
from lakekey.configuration import databrickscfg, profile_writer
from lakekey.configuration.suggestion import nearest
from lakekey.configuration.target import Target, resolve
from lakekey.errors import ConfigurationError, LakekeyError
from lakekey.providers.provider import Provider
from lakekey.session import inventory, only_session

_NAME = re.compile(r"[^A-Za-z0-9_.-]+")
# What is typed for a profile's name and begins as an address does, or as a slip of one: https:/name, https//name.
_ADDRESS = re.compile(r"https?(:|//)", re.IGNORECASE)


class Plan(NamedTuple):
    """What a sign-in is for.

    Attributes:
        name: The profile to write afterwards; ``None``: none.
        raw_host: The address as it was given, which may name a workspace of its host.
        path: The profiles' file.
        is_first: Whether the file has no profile yet.
    """

    name: str | None
    raw_host: str
    path: str
    is_first: bool


class Written(NamedTuple):
    """A profile that was written.

    Attributes:
        name: Its name.
        path: Its file.
        values: What it says.
        is_default: Whether it was made the default one.
    """

    name: str
    path: str
    values: Mapping[str, str]
    is_default: bool


def plan(arguments: argparse.Namespace) -> Plan | None:
    """What is to be written, after asking for what is missing; the arguments are completed by it.

    Returns:
        The plan; ``None`` if the configuration says everything already.

    Raises:
        ConfigurationError: Something is missing, and no person is here to ask.
    """
    path = databrickscfg.location(arguments.config_file or os.environ.get("DATABRICKS_CONFIG_FILE", "").strip())
    profiles, _ = databrickscfg.profiles(path)
    names = [str(each.name) for each in profiles]
    asks = prompt.can_ask() and not arguments.json
    if arguments.profile in names:
        return None
    _take_address(arguments)
    if arguments.host is None:
        if arguments.profile is not None:
            _ask_near_name(arguments, names, asks=asks)
        elif not _asks_for_host(arguments, names, asks=asks):
            return None
        if arguments.profile in names:  # chosen from those that there are
            return None
        if not asks:
            if arguments.profile is not None:
                _refuse_missing(arguments)
            return None
        arguments.host = workspace_address.ask(arguments)
    given, name = arguments.host, arguments.profile
    arguments.host = normalize_host(given, arguments.profile)
    arguments.account_id = arguments.account_id or account_of(given)
    arguments.profile = None  # there is none of that name yet: the host is what is signed in to
    if name is None and not arguments.no_save:
        name = _name_for(arguments, names, asks=asks)
    if name is None or arguments.no_save:
        return None
    profile_writer.check_can_write(path, name)  # before the browser: what cannot be kept is not worth signing in for
    return Plan(name, given, path, is_first=not names)


def _take_address(arguments: argparse.Namespace) -> None:
    """Take what was typed for a profile's name as the host, where it is an address."""
    if arguments.host is None and _ADDRESS.match(arguments.profile or ""):
        arguments.host, arguments.profile = arguments.profile, None


def refuse_another_host(arguments: argparse.Namespace) -> None:
    """Refuse a profile that is there together with a host that is not its own.

    The sign-in would not be the profile's, which leads to its own host ever after.

    Raises:
        ConfigurationError: They contradict each other.
    """
    if arguments.profile is None or arguments.host is None:
        return
    path = databrickscfg.location(arguments.config_file or os.environ.get("DATABRICKS_CONFIG_FILE", "").strip())
    profiles, _ = databrickscfg.profiles(path)
    values = next((each.values for each in profiles if each.name == arguments.profile), {})
    if not values.get("host", "").strip():
        return
    given, own = normalize_host(arguments.host, None), normalize_host(values["host"], arguments.profile)
    account = None if arguments.account_id else account_of(arguments.host)  # the option is stronger, and meant to be
    compared = (
        ("workspace", workspace_of(arguments.host), values.get("workspace_id") or workspace_of(values["host"])),
        ("account", account, values.get("account_id") or account_of(values["host"])),
    )
    differs = [f"{what} {kept} of {own}" for what, asked, kept in compared if asked and kept and asked != kept]
    if given != own:
        differs = [own]
    if not differs:
        return
    named = f"{_commands.profile(arguments.profile)} --host {_commands.word(arguments.host)}"
    raise ConfigurationError(
        f"the profile already exists, for {differs[0]}",
        hint=f"choose another name, or change the profile first: lakekey profiles add {named} --replace",
        profile=arguments.profile,
    )


def complete_hint(error: LakekeyError, arguments: argparse.Namespace, plan: Plan | None) -> None:
    """Word the next step of a sign-in that failed as the command that was typed, which also writes the profile.

    The sign-in itself knows no profile yet: it would name the host alone, and a setting of a profile that is not there.
    """
    if error.hint is None or arguments.profile is not None:
        return
    workspace_address.name_option(error)
    if plan is not None and plan.name is not None:
        host = _commands.word(normalize_host(plan.raw_host, None))
        named = f"lakekey login {_commands.profile(plan.name)} --host {_commands.word(plan.raw_host)}"
        error.hint = error.hint.replace(f"lakekey login --host {host}", named)


def finish(arguments: argparse.Namespace, plan: Plan, provider: Provider) -> Written | None:
    """Choose the compute and write the profile, once the sign-in has succeeded."""
    if plan.name is None:
        return None
    asks = prompt.can_ask() and not arguments.json
    target = provider.target
    values = {"host": target.host}
    workspace = workspace_of(plan.raw_host)
    if workspace:
        values["workspace_id"] = workspace
    for name, value in target_settings(arguments).items():
        if name not in ("host", "config_file"):
            values[name] = value if isinstance(value, str) else ",".join(value)
    values.setdefault("auth_type", target.auth_type)
    if target.account_id is None:
        try:
            values.update(choose_compute(provider, asks=asks))
        except KeyboardInterrupt:
            prompt.tell("")  # the question stands on this line
            print_error("you are signed in, and no profile was written", f"write it: {_add_command(arguments, plan)}")
            raise
    profile_writer.write_profile(plan.path, plan.name, values, replace=False, default=plan.is_first)
    return Written(plan.name, plan.path, values, plan.is_first)


def _add_command(arguments: argparse.Namespace, plan: Plan) -> str:
    """The command that writes a profile without a sign-in."""
    assert plan.name is not None
    given = (("host", plan.raw_host), ("ca-file", arguments.ca_file), ("config-file", arguments.config_file))
    options = [f"--{name} {_commands.word(value)}" for name, value in given if value]
    return " ".join(["lakekey profiles add", _commands.profile(plan.name), *options])


def proposed_name(host: str, taken: list[str]) -> str:
    """A name for a profile: the first label of the host, with a number where that is taken."""
    name = re.sub(r"^https?://", "", host).partition(":")[0]
    if host.partition("://")[2].startswith("[") or name in LOOPBACK or name.replace(".", "").isdigit():
        base = "local"
    else:
        base = _NAME.sub("-", name.partition(".")[0]) or "workspace"
    number = 1
    proposal = base
    while proposal in taken:
        number += 1
        proposal = f"{base}-{number}"
    return proposal


def _ask_near_name(arguments: argparse.Namespace, names: list[str], *, asks: bool) -> None:
    """Before a new profile is made: whether its name was a slip of the pen, and another one is meant."""
    near = nearest(arguments.profile, names) if asks else None
    question = f"There is no profile {arguments.profile}. Which is meant?"
    if near is not None and prompt.choose(question, [near, "a new one"]) == 0:
        arguments.profile = near


def _refuse_missing(arguments: argparse.Namespace) -> None:
    """Refuse a profile that is not there, with the command that makes it beside the name that may be meant."""
    try:
        resolve(arguments.profile, **target_settings(arguments))
    except ConfigurationError as error:
        make = f"lakekey login {_commands.profile(arguments.profile)} --host https://…"
        if error.hint and "no profile of that name" in error.message:
            error.hint = f"{error.hint}; make it: {make}"
        raise


def _asks_for_host(arguments: argparse.Namespace, names: list[str], *, asks: bool) -> bool:
    """Whether nothing says which workspace is meant, so that it has to be asked for; a profile may be chosen."""
    try:
        resolve(None, **target_settings(arguments))
    except ConfigurationError as error:
        if not only_session.is_nothing_named(error):
            return False  # something is wrong, which `resolve` says again
        if not asks:
            known = f"the profiles are {', '.join(names)}; " if names else ""
            raise ConfigurationError(
                "no workspace to sign in to is configured",
                hint=f"{known}name one, or make one: lakekey login NAME --host https://…",
            ) from None
    else:
        return False
    if names:
        options = [*names, "another workspace"]
        chosen = prompt.choose("Sign in to which?", options)
        assert chosen is not None
        if chosen < len(names):
            arguments.profile = names[chosen]
    return True


def _name_for(arguments: argparse.Namespace, names: list[str], *, asks: bool) -> str | None:
    """The name of the new profile; ``None`` if one leads there already, or no person is here to say."""
    environ = {
        **os.environ,
        "DATABRICKS_CONFIG_FILE": arguments.config_file or os.environ.get("DATABRICKS_CONFIG_FILE", ""),
    }
    wanted = resolve(None, **target_settings(arguments))
    if inventory.profiles_of(wanted, environ) or not asks:
        return None
    while True:
        name = prompt.ask("Name of the profile", default=proposed_name(arguments.host, names))
        if name not in names:
            return name
        prompt.tell(f"  A profile {name} already exists.")


def target_of(written: Written) -> Target:
    """The target of a profile that was written."""
    return resolve(written.name, config_file=written.path)
