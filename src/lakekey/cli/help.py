"""``lakekey help [COMMAND]``, and what a name that is not a command is answered with."""

import argparse
import sys

from lakekey.cli.arguments import parser_of
from lakekey.cli.commands import COMMANDS
from lakekey.cli.output import print_error, print_json
from lakekey.cli.parser import did_you_mean

_STATUSES = "Exit status: 0 done, 1 failed, 2 usage, 3 login needed."


def help_(arguments: argparse.Namespace) -> int:
    """Explain one command, or list them all."""
    topic = arguments.topic
    if not topic:
        if arguments.json:
            print_json({"commands": [{"name": name, "summary": each.summary} for name, each in COMMANDS.items()]})
        else:
            print(overview_of_commands())
        return 0
    if topic[0] not in COMMANDS:
        return unknown_command(topic[0])
    if arguments.json:
        print_json({"name": topic[0], "help": parser_of(topic[0]).format_help()})
    elif topic[1:]:
        parser_of(topic[0]).parse([*topic[1:], "--help"])
    else:
        parser_of(topic[0]).print_help()
    return 0


def overview_of_commands() -> str:
    """All commands, by what they are for."""
    width = max(map(len, COMMANDS))
    lines = ["usage: lakekey COMMAND [options]", "", "One sign-in for every Databricks connector on this machine."]
    for group in dict.fromkeys(each.group for each in COMMANDS.values() if each.group):
        lines += ["", f"{group}:"]
        lines += [f"  {name:<{width}}  {each.summary}" for name, each in COMMANDS.items() if each.group == group]
    lines += ["", "Options of every command:", "  -h, --help  explain it", "  --json      print JSON"]
    lines += ["  --debug     report files, hosts and requests on standard error"]
    lines += ["  -p PROFILE  the profile, where it works on one", "", "lakekey help COMMAND has examples.", _STATUSES]
    return "\n".join(lines)


def unknown_command(name: str) -> int:
    """Say that there is no such command, and name a near one. Returns the exit status."""
    print_error(f"there is no command {name!r}{did_you_mean(name, COMMANDS)}", "see them all: lakekey help")
    sys.stderr.flush()
    return 2
