"""Runs the unit tests in the Python of Windows, and exits as pytest does there.

Arguments: further ones for pytest. Pipes lie between, since Wine gives Python no other streams that it can use.
"""

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.wine import PYTHON, ROOT, environ

ROOMS = ("cache", "test_hosts.py")


def main() -> int:
    """Runs them, and shows what they print as it comes."""
    tests = [f"tests/unit/{room}" for room in ROOMS]
    kept = {"LAKEKEY_REQUIRE_ALL": "1", "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        ["wine", str(PYTHON), "-m", "pytest", "-q", *tests, *sys.argv[1:]],
        cwd=ROOT,
        env=environ(**kept),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        for line in process.stdout:
            sys.stdout.buffer.write(line.replace(b"\r\n", b"\n"))
            sys.stdout.buffer.flush()
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
