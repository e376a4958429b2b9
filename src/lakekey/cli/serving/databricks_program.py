"""``lakekey auth path``: a program for ``DATABRICKS_CLI_PATH`` that every SDK takes for the Databricks CLI.

The Go SDK, and with it Terraform, and the Python SDK for a bare name, tell that CLI from the one before it by its size,
and take nothing below 1 MiB. Ours would be a script of a few hundred bytes, or on Windows a launcher of a hundred
thousand, so a larger one is made.
"""

import argparse
import contextlib
import os
import shlex
import stat
import sys

from lakekey import _plain_files
from lakekey.cache import durable_files, private_files
from lakekey.cache.opening import cache_directory
from lakekey.cli.output import print_json
from lakekey.errors import CacheWriteFailed, ConfigurationError

_LEAST = 1 << 20
_BEGINNING = """\
#!/bin/sh
# Made by `lakekey auth path`, as large as the SDKs want the Databricks CLI to be. The shell never reads what follows
# the next line. -P: nothing is imported from the directory that a program happens to run in.
exec {python} -P -c 'from lakekey.cli import run; run(as_databricks=True)' "$@"
"""


def auth_path(arguments: argparse.Namespace) -> int:
    """Print the program's path."""
    path = program()
    if arguments.json:
        print_json({"path": path})
    else:
        print(path)
    return 0


def program() -> str:
    """The program's path; it is made where it is missing, or belongs to another installation of lakekey.

    Raises:
        ConfigurationError: There is no place for it here.
        CacheWriteFailed: It cannot be written.
    """
    path = place()
    content = _content()
    try:
        # Looked at each time: the SDKs run it as this user, so no other user may be able to change it later.
        private_files.ensure_directory(os.path.dirname(path))
        if not _is_there(path, content):
            durable_files.replace(path, content, mode=0o700)
    except OSError as error:
        raise CacheWriteFailed(
            f"cannot write {path}: {error.strerror}", hint="name another directory with LAKEKEY_CACHE_DIR"
        ) from None
    return path


def place() -> str:
    """Where the program is, or would be.

    Raises:
        ConfigurationError: There is no place for it here.
    """
    directory = cache_directory(os.environ)
    if not directory:
        raise ConfigurationError(
            "there is no home directory to keep the program in", hint="set LAKEKEY_CACHE_DIR=/a/directory/of/yours"
        )
    name = "databricks.exe" if sys.platform == "win32" else "databricks"
    return os.path.join(os.path.abspath(directory), "bin", name)


def _content() -> bytes:
    if sys.platform == "win32":
        from lakekey.cli.serving import windows_program

        return windows_program.content(_LEAST)
    beginning = _BEGINNING.format(python=shlex.quote(sys.executable)).encode()
    lines, rest = divmod(_LEAST - len(beginning), 64)
    return beginning + (b"#" * 63 + b"\n") * lines + b"#" * rest + b"\n"


def _is_there(path: str, content: bytes) -> bool:
    with contextlib.suppress(OSError):
        return _is_private(os.lstat(path)) and _plain_files.content(path) == content and os.access(path, os.X_OK)
    return False


def _is_private(status: os.stat_result) -> bool:
    if sys.platform == "win32":  # its directory's access-control list says that
        return True
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077
