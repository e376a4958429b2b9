"""``lakekey help [COMMAND]``, and what a name that is not a command is answered with."""

import argparse
import sys

from lakekey.cli.arguments import parser_of
from lakekey.cli.commands import COMMANDS
from lakekey.cli.output import print_error, print_json
from lakekey.cli.parser import columns, did_you_mean, listed

# What other tools call it.
_ELSEWHERE = {
    "list": "status",
    "ls": "status",
    "sessions": "status",
    "configure": "login",
    "init": "login",
    "signin": "login",
    "signout": "logout",
    "revoke": "logout",
    "describe": "doctor",
    "check": "doctor",
    "switch": "profiles set-default",
    "use": "profiles set-default",
    "query": "sql",
    "exec": "run",
    "sso": "login",
    "print-access-token": "token",
    "me": "whoami",
    "current-user": "whoami",
}
_OPTIONS = (
    ("-h, --help", "explain it"),
    ("--json", "print JSON"),
    ("-v, --debug", "report files, hosts and requests on standard error"),
    ("-p PROFILE", "the profile, where it works on one"),
)
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
    import textwrap

    width = max(map(len, COMMANDS))
    lines = ["usage: lakekey COMMAND [options]", ""]
    lines += textwrap.wrap("One sign-in for every Databricks connector on this machine.", columns())
    for group in dict.fromkeys(each.group for each in COMMANDS.values() if each.group):
        named = [(name, each.summary) for name, each in COMMANDS.items() if each.group == group]
        lines += ["", f"{group}:", *listed(named, beside=width)]
    lines += ["", "Options of every command:", *listed(_OPTIONS, beside=width)]
    lines += ["", "lakekey help COMMAND has examples.", *textwrap.wrap(_STATUSES, columns())]
    return "\n".join(lines)


def unknown_command(name: str, *, below: str = "") -> int:
    """Say that there is no such command, and name a near one. Returns the exit status."""
    near = f"; did you mean {_ELSEWHERE[name]}?" if name in _ELSEWHERE else did_you_mean(name, COMMANDS)
    print_error(f"there is no command {below + name!r}{near}", "see them all: lakekey help")
    sys.stderr.flush()
    return 2
