"""``lakekey version``."""

import argparse
import platform

from lakekey._version import __version__
from lakekey.cli.output import print_json


def version(arguments: argparse.Namespace) -> int:
    """Print the version of this installation."""
    if arguments.json or arguments.output == "json":
        print_json({"version": __version__, "python": platform.python_version()})
    else:
        print(f"lakekey {__version__}")
    return 0
