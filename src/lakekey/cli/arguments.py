"""Parsing a command line. Only the command that is run builds its parser and imports its module."""

import argparse
from collections.abc import Sequence
from typing import Any

from lakekey.cli.commands import COMMANDS
from lakekey.cli.options import TARGET_OPTIONS, common, later
from lakekey.cli.parser import Parser

#: Commands that run a program: where its words are kept, and what stands before the ``--``.
_PROGRAMS = {"run": ("words", "run PROFILE"), "sandbox": ("program", "sandbox")}


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
    if argv[0] in _PROGRAMS and "--" in rest:  # what follows is the command's own, its options included
        place = rest.index("--")
        rest, words = rest[:place], rest[place + 1 :]
    arguments = parser_of(argv[0]).parse(rest)
    if argv[0] in _PROGRAMS:
        name, before = _PROGRAMS[argv[0]]
        if given := getattr(arguments, name):  # options behind it may have been taken for ours
            command = " ".join(rest[rest.index(given[0]) :])
            parser_of(argv[0]).error(f"put -- before the command: lakekey {before} -- {command}")
        setattr(arguments, name, words)
    return arguments


def target_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings among a command's arguments, by the names that `lakekey.provider` takes."""
    named = {name: getattr(arguments, name, None) for name, _, _ in TARGET_OPTIONS}
    return {name: value for name, value in named.items() if value is not None}
