"""Runs tests of Linux in the Python of Windows, and exits as pytest does there.

Arguments: further ones for pytest; tests among them (``tests/…``) are run instead of all. Pipes lie between, since Wine
gives Python no other streams that it can use. The OAuth server runs on Linux, on the loopback address that both share.
"""

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO

sys.path.insert(0, str(Path(__file__).parents[1]))

from support import disks
from support.servers.oidc_server import OidcServer
from support.wine import PYTHON, ROOT, environ, running, windows

ROOMS = (
    "unit/cache",
    "unit/cli/serving",
    "unit/configuration",
    "unit/login",
    "unit/oauth",
    "unit/observability",
    "unit/session",
    "unit/test_commands.py",
    "unit/test_commitment.py",
    "unit/test_windows_home.py",
    "unit/test_hosts.py",
    "unit/test_inside_work.py",
    "unit/test_json.py",
    "unit/test_moments.py",
    "unit/test_single_flight.py",
)
# What no platform plays a part in, and would take minutes there, is left to Linux.
ALWAYS = "not every_input"
MARK = "on_windows"
LONGEST = "600"  # seconds for a test: a test that is out of time ends the whole run there
REST = 10  # seconds for the last lines


def main() -> int:
    """Runs them, and shows what they print as it comes."""
    chosen = any(argument.startswith("tests/") for argument in sys.argv[1:])
    tests = [] if chosen else [f"tests/{room}" for room in (*ROOMS, *marked())]
    marks = ALWAYS if chosen else f"{ALWAYS} and ({MARK} or not integration)"
    with running(), OidcServer() as server, disks.served() as served, tempfile.TemporaryDirectory() as directory:
        facts = Path(directory, "facts.json")  # they hold secrets, and a child's environment may hold none
        facts.write_text(server.facts(ca_file=windows(server.ca_file)))
        kept = {
            "LAKEKEY_REQUIRE_ALL": "1",
            "PYTHONIOENCODING": "utf-8",
            "PYTHONUNBUFFERED": "1",
            "TESTS_OIDC_SERVER": windows(facts),
            **served,
        }
        process = subprocess.Popen(
            ["wine", str(PYTHON), "-m", "pytest", "-q", "-m", marks, "--timeout", LONGEST, *tests, *sys.argv[1:]],
            cwd=ROOT,
            env=environ(**kept),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        shows = threading.Thread(target=show, args=[process.stdout], daemon=True)
        shows.start()
        process.wait()
        # A program that a test has left behind has the pipe, too: its end is not waited for.
        shows.join(REST)
        return process.returncode


def marked() -> list[str]:
    """The files of integration tests some of which are marked for Windows: only they are imported there."""
    files = sorted((ROOT / "tests/integration").rglob("test_*.py"))
    return [str(file.relative_to(ROOT / "tests")) for file in files if f"mark.{MARK}" in file.read_text("utf-8")]


def show(pipe: IO[bytes]) -> None:
    """Shows what comes, as it comes."""
    while chunk := os.read(pipe.fileno(), 65536):
        sys.stdout.buffer.write(chunk.replace(b"\r\n", b"\n"))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
