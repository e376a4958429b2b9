"""``lakekey`` by itself: where you stand, and the next command."""

import argparse
import os
from typing import Any

from lakekey._version import __version__
from lakekey.cache.opening import open_cache
from lakekey.cli.output import print_json, print_text
from lakekey.configuration import databrickscfg
from lakekey.errors import LakekeyError
from lakekey.session import inventory
from lakekey.session.inventory import SessionInfo


def overview(arguments: argparse.Namespace) -> int:
    """Show the sessions and profiles in a few lines, and what to type next."""
    trouble = None
    try:
        sessions = [each.info for each in inventory.find(open_cache())]
    except LakekeyError as error:
        sessions, trouble = [], error.message
    names = _profiles()
    step = _next_step(sessions, names, trouble)
    if arguments.json:
        print_json(
            {
                "version": __version__,
                "sessions": [_facts(each) for each in sessions],
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
    if trouble:
        print(f"  The token cache cannot be read: {trouble}.")
    elif not sessions:
        print("  Not signed in.")
    print(f"  Profiles: {', '.join(names)}" if names else "  No profiles yet.")
    print(f"\nNext:          {step}")
    print("All commands:  lakekey help")
    return 0


def _next_step(sessions: list[SessionInfo], names: list[str], trouble: str | None) -> str:
    if trouble:
        return "lakekey doctor"
    usable = [each for each in sessions if each.state not in inventory.NEEDS_LOGIN]
    if usable:
        return f"lakekey token {usable[0].profile or ''}".rstrip()
    over = next((each.profile for each in sessions if each.profile), None) or (names[0] if names else None)
    return f"lakekey login {over or ''}".rstrip()


def _profiles() -> list[str]:
    try:
        found, _ = databrickscfg.profiles(os.environ.get("DATABRICKS_CONFIG_FILE", "").strip() or None)
    except LakekeyError:
        return []
    return [str(each.name) for each in found]


def _facts(session: SessionInfo) -> dict[str, Any]:
    names = ("entry", "host", "profile", "auth_type", "identity", "state")
    return {name: getattr(session, name) for name in names}
