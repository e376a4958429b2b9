"""CPython for Windows, run by Wine from the environment that ``tests/windows/set_up.py`` makes.

Wine shares Linux's loopback addresses, so servers run on Linux; a Linux path is one of drive Z: there. Standard streams
are always pipes: with a file or a closed stream, Python cannot make its own under Wine.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".venvs/windows"
PYTHON = HOME / "python/python.exe"
LAKEKEY = HOME / "python/Scripts/lakekey.exe"
DBT = HOME / "dbt"  # its packages
_OURS = ("LAKEKEY_", "DATABRICKS_", "REQUESTS_CA_BUNDLE", "PYTHON", "WINE", "USERPROFILE")
PATIENCE = 240  # seconds; a start of Python takes half a second there, and the machine may be very busy


def windows(path: str | Path) -> str:
    """A path of Linux as Windows programs name it."""
    return "Z:" + os.path.abspath(path).replace("/", "\\")


def linux(path: str) -> Path:
    """A path as Windows programs name it, on Linux."""
    drive, _, rest = path.partition(":")
    return {"C": HOME / "prefix/drive_c", "Z": Path("/")}[drive.upper()] / rest.replace("\\", "/").lstrip("/")


def environ(**more: str) -> dict[str, str]:
    """The environment of a Windows program: nothing of ours but what is given."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return {
        **inherited,
        "WINEPREFIX": str(HOME / "prefix"),
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": "mscoree,mshtml,winedbg.exe=",  # no offers to install things, no debugger that waits
        **more,
    }


@contextmanager
def running() -> Iterator[None]:
    """Keeps a program running, and with it the services of Wine.

    Else each program that is the only one starts them, which takes seconds, and they hold its pipes until they end.
    """
    stays = ["wine", str(PYTHON), "-c", "import sys; sys.stdin.read()"]
    ends = ["wine", str(PYTHON), "-c", ""]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environ()}
    with subprocess.Popen(stays, stdin=subprocess.PIPE, **silent):
        subprocess.run(ends, stdin=subprocess.DEVNULL, check=True, **silent)  # which waits for the services
        yield


def start(program: str | Path, *arguments: str, **more: str) -> subprocess.Popen[str]:
    """Starts a Windows program; its streams are pipes of UTF-8 text."""
    return subprocess.Popen(
        ["wine", str(program), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ(**more),
        text=True,
        encoding="utf-8",
        errors="replace",
    )


def run(program: str | Path, *arguments: str, timeout: float = PATIENCE, **more: str) -> tuple[int, str, str]:
    """Runs a Windows program to its end: exit status, standard output and standard error."""
    process = start(program, *arguments, **more)
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        output, errors = process.communicate()
        raise AssertionError(f"the program did not end:\n{output}{errors}") from None
    return process.returncode, output, errors
