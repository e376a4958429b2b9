"""``--debug``: which files, which host, which request, on standard error. Never a secret.

Our own records carry ids, hosts and names (see `lakekey._log`). Of a request, its method, host, path and status are
shown; its query is cut off, and neither headers nor bodies are logged by the library that sends it.
"""

import logging
import os
import platform
import re
import sys

from lakekey._version import __version__

_REQUEST = re.compile(r"\?[^ \"]*")


class _Short(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return _REQUEST.sub("?…", text) if record.name.startswith("urllib3") else text


def leave_errors_to_us() -> None:
    """Show no records of connectors: what they log as an error, they raise as well, and a command says it in a line."""
    for name in ("databricks", "pyspark", "grpc"):
        logging.getLogger(name).addHandler(logging.NullHandler())


def switch_on() -> None:
    """Show what happens from here on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Short("debug: %(relativeCreated)6.0f ms  %(name)s: %(message)s"))
    # Not the root logger: what connectors log of their requests is not ours to vouch for.
    for name in ("lakekey", "urllib3.connectionpool"):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    logging.getLogger("lakekey.cli").debug("lakekey %s in %s, Python %s", __version__, here, platform.python_version())
