"""Parsing a command line. Only the command that is run builds its parser and imports its module."""

import argparse
from collections.abc import Sequence
from typing import Any

from lakekey.cli.commands import COMMANDS
from lakekey.cli.options import TARGET_OPTIONS, common, later
from lakekey.cli.parser import Parser


def parser_of(name: str) -> Parser:
    """The parser of one command."""
    command = COMMANDS[name]
    parser = Parser(name, command.summary, command.examples)
    parser.set_defaults(run=later(command.run), command=name)
    common(parser)
    command.options(parser)
    if not parser.knows("--profile"):  # typed from habit where it changes nothing, as before `version`
        parser.add_argument("-p", "--profile", dest="profile_option", help=argparse.SUPPRESS)
    return parser


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parse a command line whose first word is a command.

    Raises:
        SystemExit: It is wrong (2), or asks for help (0). What there is to say is printed.
    """
    rest = list(argv[1:])
    words: list[str] = []
    if argv[0] == "complete":  # whatever is typed is data here
        return argparse.Namespace(
            run=later(COMMANDS["complete"].run), words=rest, json=False, debug=False, command="complete"
        )
    if argv[0] == "run" and "--" in rest:  # what follows is the command's own, its options included
        place = rest.index("--")
        rest, words = rest[:place], rest[place + 1 :]
    arguments = parser_of(argv[0]).parse(rest)
    if argv[0] == "run":
        if arguments.words:
            parser_of("run").error(f"put -- before the command: lakekey run PROFILE -- {' '.join(arguments.words)}")
        arguments.words = words
    return arguments


def target_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings among a command's arguments, by the names that `lakekey.provider` takes."""
    named = {name: getattr(arguments, name, None) for name, _, _ in TARGET_OPTIONS}
    return {name: value for name, value in named.items() if value is not None}
