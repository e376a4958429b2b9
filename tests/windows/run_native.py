"""Runs tests of Linux in the Python of Windows, and exits as pytest does there.

Arguments: further ones for pytest; tests among them (``tests/…``) are run instead of all. Pipes lie between, since Wine gives Python no other streams that it can use. The
OAuth server runs on Linux, on the loopback address that both share.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.servers.oidc_server import OidcServer
from support.wine import PYTHON, ROOT, environ, windows

ROOMS = (
    "unit/cache",
    "unit/configuration",
    "unit/login",
    "unit/oauth",
    "unit/session",
    "unit/test_commands.py",
    "unit/test_commitment.py",
    "unit/test_hosts.py",
    "unit/test_json.py",
    "unit/test_single_flight.py",
    "integration/cache/test_bad_entries.py",
    "integration/cache/test_key_rotation_under_load.py",
    "integration/configuration/test_federation.py",
    "integration/session/test_asyncio.py",
    "integration/session/test_kills.py",
    "integration/session/test_pickle.py",
    "integration/session/test_service_principal.py",
    "integration/session/test_stale_refresh.py",
)
# What no platform plays a part in, and would take minutes there, is left to Linux.
CHOSEN = "not every_input"
LONGEST = "600"  # seconds for a test: a test that is out of time ends the whole run there


def main() -> int:
    """Runs them, and shows what they print as it comes."""
    chosen = any(argument.startswith("tests/") for argument in sys.argv[1:])
    tests = [] if chosen else [f"tests/{room}" for room in ROOMS]
    with OidcServer() as server, tempfile.TemporaryDirectory() as directory:
        facts = Path(directory, "facts.json")  # they hold secrets, and a child's environment may hold none
        facts.write_text(server.facts(ca_file=windows(server.ca_file)))
        kept = {
            "LAKEKEY_REQUIRE_ALL": "1",
            "PYTHONIOENCODING": "utf-8",
            "PYTHONUNBUFFERED": "1",
            "TESTS_OIDC_SERVER": windows(facts),
        }
        with subprocess.Popen(
            ["wine", str(PYTHON), "-m", "pytest", "-q", "-m", CHOSEN, "--timeout", LONGEST, *tests, *sys.argv[1:]],
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
