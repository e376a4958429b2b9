"""``lakekey`` by itself: where you stand, and the next command."""

import argparse
import itertools
import os
from typing import Any

from lakekey import _commands
from lakekey._version import __version__
from lakekey.cache.opening import open_cache
from lakekey.cli.next_step import first_use
from lakekey.cli.output import print_json, print_text
from lakekey.cli.style import clean
from lakekey.configuration import databrickscfg
from lakekey.configuration.target import resolve
from lakekey.errors import LakekeyError
from lakekey.session import inventory
from lakekey.session.inventory import Found, SessionInfo

_MOST = 20  # sessions; a store that a fleet shares may have many thousands


def overview(arguments: argparse.Namespace) -> int:
    """Show the sessions and profiles in a few lines, and what to type next."""
    found: list[Found] = []
    names: list[str] = []
    trouble, step = None, None
    try:
        names = _profiles()
    except LakekeyError as error:
        trouble, step = f"The profiles cannot be read: {error.message}.", error.hint
    try:
        found = list(itertools.islice(inventory.walk(open_cache()), _MOST + 1))
    except LakekeyError as error:
        trouble, step = f"The token cache cannot be read: {error.message}.", "lakekey doctor"
    sessions = [each.info for each in found[:_MOST]]
    step = step or _next_step(found, names)
    if arguments.json:
        print_json(
            {
                "version": __version__,
                "sessions": [_facts(each) for each in sessions],
                "more": bool(found[_MOST:]),
                "profiles": names,
                "problem": trouble,
                "next_step": step,
            }
        )
        return 0
    print_text(f"lakekey {__version__}: one sign-in for every Databricks connector on this machine.")
    print()
    for each in sessions:
        who = f" as {each.identity}" if each.identity else ""
        print("  ", end="")
        print_text(f"{each.profile or each.host}: {each.state}{who}", 2)
    if found[_MOST:]:
        print("  There are more: lakekey status")
    if trouble:
        print("  ", end="")
        print_text(trouble, 2)
    elif not sessions:
        print("  Not signed in.")
    if not trouble:
        print("  ", end="")
        print_text(f"Profiles: {', '.join(names)}" if names else "No profiles yet.", 2)
    print(f"\nNext:          {clean(step)}")
    print("All commands:  lakekey help")
    return 0


def _next_step(found: list[Found], names: list[str]) -> str:
    usable = [each for each in found if each.info.state not in inventory.NEEDS_LOGIN]
    if usable:
        return _use_of(usable[0], alone=len(usable) == 1 and not names)
    over = next((each.info.profile for each in found if each.info.profile), None) or (names[0] if names else None)
    return f"lakekey login {_commands.profile(over) if over else ''}".rstrip()


def _use_of(found: Found, *, alone: bool) -> str:
    """The command that uses it: by its profile, else by what leads there without one."""
    name = found.info.profile
    if name is not None:
        return first_use(name, warehouse=_has_warehouse(name))
    target = None if alone else inventory.target_of(found)
    return f"lakekey token{target.login_command.removeprefix('lakekey login') if target else ''}"


def _has_warehouse(profile: str) -> bool:
    try:
        return resolve(profile).http_path is not None
    except LakekeyError:
        return False


def _profiles() -> list[str]:
    found, _ = databrickscfg.profiles(os.environ.get("DATABRICKS_CONFIG_FILE", "").strip() or None)
    return [str(each.name) for each in found]


def _facts(session: SessionInfo) -> dict[str, Any]:
    names = ("entry", "host", "profile", "auth_type", "identity", "state")
    return {name: getattr(session, name) for name in names}
