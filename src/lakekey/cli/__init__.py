"""The command line: ``lakekey COMMAND``.

Exit status: 0 done, 1 failed, 2 usage, 3 login needed.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from lakekey.cli import output, signals, streams
from lakekey.errors import LakekeyError

# ``gh auth login``, ``gcloud auth login``, …: the same command here, without ``auth``.
_AFTER_AUTH = ("login", "logout", "status", "whoami", "profiles", "env")
DONE, FAILED, USAGE, LOGIN_NEEDED = 0, 1, 2, 3


def run(*, as_databricks: bool = False) -> None:
    """The entry point ``lakekey``.

    Args:
        as_databricks: Whether it was started as the program that ``lakekey auth path`` makes, which tells the SDKs the
            version of the Databricks CLI whose arguments it takes.
    """
    streams.prepare()
    try:
        signals.prepare()
        status = main(sys.argv[1:], as_databricks=as_databricks)
        streams.finish()
    except KeyboardInterrupt:
        print("lakekey: interrupted", file=sys.stderr)
        status = 130
    except signals.Ended as end:
        status = 128 + end.number  # counts where no signal ends it, as in the first process of a container
    except BrokenPipeError:
        # The reader has enough of our output, which is not an error to report.
        streams.silence_output()
        status = FAILED
    except streams.OutputFailed as error:
        streams.silence_output()
        output.print_error(error.message, error.hint)
        status = FAILED
    raise SystemExit(status)


def main(argv: Sequence[str], *, as_databricks: bool = False) -> int:
    """Run one command.

    Args:
        argv: The arguments after the program's name.
        as_databricks: See `run`.

    Returns:
        The exit status.
    """
    from lakekey.cli.arguments import parse
    from lakekey.cli.commands import COMMANDS

    # The SDKs ask for the version by -V or -v; ours is --debug, and by itself no question to the Databricks CLI.
    words = _command_first(["-V"] if as_databricks and list(argv) == ["-v"] else argv)
    if words[0] == "auth":
        words = ["auth", *_word_first(words[1:])]
    if words[0] == "auth" and words[1:2] and words[1] in _AFTER_AUTH:
        words = words[1:]
    below = "auth " if words[0] == "auth" and _is_of_another_tool(words[1:]) else ""
    if words[0] not in COMMANDS or below:
        from lakekey.cli.help import unknown_command

        return unknown_command(words[1] if below else words[0], below=below)
    try:
        arguments = parse(words)
    except SystemExit as stop:  # argparse has printed what there is to say
        return int(stop.code or 0)
    if arguments.debug:
        from lakekey.cli import debug

        debug.switch_on()
    try:
        if as_databricks and arguments.command == "version":
            from lakekey.cli.serving.databricks_cli import version

            return version(arguments)
        status: int = arguments.run(arguments)
    except LakekeyError as error:
        return _fail(arguments, error)
    except FileNotFoundError:
        if _is_somewhere():
            raise
        gone = LakekeyError("the current directory is gone, and a relative path begins there", hint="cd to another one")
        return _fail(arguments, gone)
    return status


def _command_first(argv: Sequence[str]) -> list[str]:
    """The command, then its arguments: options may stand before it, as people of other tools are used to."""
    before: list[str] = []
    rest = list(argv)
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word in ("-h", "--help"):
            return ["help", *before, *rest]
        if word in ("-V", "--version"):
            return ["version", *before, *rest]
        before.append(word)
        if word in ("-p", "--profile") and rest:
            before.append(rest.pop(0))
    if rest:
        return [rest[0], *before, *rest[1:]]
    of_a_profile = any(word.partition("=")[0] in ("-p", "--profile") for word in before)
    return ["status" if of_a_profile else "overview", *before]


def _word_first(after_auth: Sequence[str]) -> list[str]:
    """What stands behind ``auth``, with options of every command moved behind the word that they stand before."""
    before: list[str] = []
    rest = list(after_auth)
    while rest and rest[0].partition("=")[0] in ("-v", "--debug", "--verbose", "--json", "-p", "--profile"):
        before.append(rest.pop(0))
        if before[-1] in ("-p", "--profile") and rest:
            before.append(rest.pop(0))
    if not rest or rest[0].startswith("-"):
        return list(after_auth)
    return [rest[0], *before, *rest[1:]]


def _is_of_another_tool(after_auth: Sequence[str]) -> bool:
    """Whether what follows ``auth`` is a word, such as gcloud's ``auth list``, and not a command of ours."""
    return bool(after_auth) and not after_auth[0].startswith("-") and after_auth[0] not in ("token", "path")


def _is_somewhere() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True


def _fail(arguments: argparse.Namespace, error: LakekeyError) -> int:
    if arguments.json:
        output.print_json(output.error_facts(error))
    else:
        where = f"{error.profile}: " if error.profile and not error.message.startswith(error.profile) else ""
        output.print_error(f"{where}{error.message}", error.hint)
    return output.status_of(error)
