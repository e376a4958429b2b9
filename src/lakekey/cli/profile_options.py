"""The options of `lakekey profiles` and of its actions."""

import argparse

from lakekey.cli.options import action, config_file, later
from lakekey.cli.parser import ActionParser, Parser


def profiles(parser: Parser) -> None:
    """``lakekey profiles``."""
    config_file(parser)
    actions = parser.add_subparsers(title="to change the file", metavar="ACTION", parser_class=ActionParser)
    example = ("lakekey profiles add dev --host https://…", "")
    add = action(actions, "profiles add", "write a profile", (example,), takes_profile=True)
    _add_name(add)
    add.add_argument("--host", metavar="URL", help="the workspace's address")
    for option in ("warehouse-id", "cluster-id", "auth-type", "client-id", "account-id", "user", "scopes", "ca-file"):
        add.add_argument(f"--{option}", metavar="VALUE", help="written as it is")
    add.add_argument(
        "--replace", action="store_true", help="change the settings that are given in a profile of that name"
    )
    remove = action(
        actions,
        "profiles remove",
        "remove a profile; its session stays until logout",
        (("lakekey profiles remove dev", ""),),
        takes_profile=True,
    )
    _add_name(remove)
    default = action(
        actions,
        "profiles set-default",
        "choose the profile to use if none is named",
        (("lakekey profiles set-default dev", ""),),
        takes_profile=True,
    )
    _add_name(default)
    rename = action(
        actions,
        "profiles rename",
        "rename a profile; its session stays",
        (("lakekey profiles rename dev lab", ""),),
        takes_profile=True,
    )
    _add_name(rename, "OLD")
    rename.add_argument("new", metavar="NEW", help="its new name")
    for name, parsed in (("add", add), ("remove", remove), ("set-default", default), ("rename", rename)):
        parsed.set_defaults(run=later(f"profile_changes:{name.replace('-', '_')}"))
        config_file(parsed, default=argparse.SUPPRESS)


def _add_name(parser: argparse.ArgumentParser, metavar: str = "NAME") -> None:
    """The profile that an action changes: a word, or an option."""
    parser.add_argument("name", nargs="?", metavar=metavar, help="the profile")
    parser.add_argument("-p", "--profile", dest="name_option", metavar="PROFILE", help="the same, as an option")
