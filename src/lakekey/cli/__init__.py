"""The command line: ``lakekey COMMAND``.

Exit status: 0 done, 1 failed, 2 usage, 3 login needed.
"""

import argparse
import sys
from collections.abc import Sequence

from lakekey._version import __version__
from lakekey.cli import output, streams
from lakekey.cli.arguments import build_parser
from lakekey.errors import ConfigurationError, LakekeyError, LoginRequired

DONE, FAILED, USAGE, LOGIN_NEEDED = 0, 1, 2, 3


def run() -> None:
    """The entry point ``lakekey``."""
    streams.prepare()
    try:
        status = main(sys.argv[1:])
        streams.finish()
    except KeyboardInterrupt:
        print("lakekey: interrupted", file=sys.stderr)
        status = 130
    except BrokenPipeError:
        # The reader has enough of our output, which is not an error to report.
        streams.silence_output()
        status = FAILED
    except streams.OutputFailed as error:
        streams.silence_output()
        output.print_error(error.message, error.hint)
        status = FAILED
    raise SystemExit(status)


def main(argv: Sequence[str]) -> int:
    """Run one command.

    Args:
        argv: The arguments after the program's name.

    Returns:
        The exit status.
    """
    parser = build_parser(__version__)
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as stop:  # argparse has printed its usage
        return int(stop.code or 0)
    try:
        status: int = arguments.run(arguments)
    except LakekeyError as error:
        return _fail(arguments, error)
    return status


def _fail(arguments: argparse.Namespace, error: LakekeyError) -> int:
    if getattr(arguments, "json", False):
        output.print_json({"error": error.code, "message": error.message, "hint": error.hint, "profile": error.profile})
    else:
        where = f"{error.profile}: " if error.profile else ""
        output.print_error(f"{where}{error.message}", error.hint)
    if isinstance(error, LoginRequired):
        return LOGIN_NEEDED
    return USAGE if isinstance(error, ConfigurationError) else FAILED
