"""A program of a person that signs in, in a process of its own, with its terminal's output read line by line."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Self

from support import secret_scan
from support.pace import SLOWER

_WATCHED = (
    f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r}); from support import secret_scan; "
    "secret_scan.in_child(); sys.path.pop(0)\n"
)
_URL = re.compile(r"https://\S+/authorize\S+")


class Program:
    """A child process; a context manager.

    Args:
        code: What it runs; it is watched for secrets while it does.
        *arguments: Its command line.
        environment: Variables over this process's.
    """

    def __init__(self, code: str, *arguments: str, environment: dict[str, str]) -> None:
        self.read = ""
        self._prints_token = "token" in arguments  # which is what that command is for
        self.process = subprocess.Popen(
            [sys.executable, "-c", _WATCHED + code, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
            text=True,
            bufsize=1,
            start_new_session=True,  # without a controlling terminal
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.process.poll() is None:
            if os.name == "posix":
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        self.process.wait()

    def says(self, pattern: str) -> re.Match[str]:
        """Reads standard error until a line matches."""
        for line in self.process.stderr:
            self.read += line
            if match := re.search(pattern, line):
                return match
        raise AssertionError(f"the program never said {pattern!r}; it said:\n{self.read}")

    def url(self) -> str:
        """The authorization address that it prints."""
        return self.says(_URL.pattern)[0]

    def send(self, line: str) -> None:
        """Types a line."""
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def ends(self, timeout: float = 20 * SLOWER) -> tuple[int, str, str]:
        """Waits for its end: exit status, standard output, all of standard error."""
        output, errors = self.process.communicate(timeout=timeout)
        secret_scan.program_said(self.read + errors + ("" if self._prints_token else output))
        return self.process.returncode, output, self.read + errors


def lakekey(*arguments: str, environment: dict[str, str]) -> Program:
    """The command line ``lakekey …`` as a program."""
    return Program("from lakekey.cli import run; run()", *arguments, environment=environment)


def environment(server, cache: Path, **more: str) -> dict[str, str]:
    """For a person at a terminal who opens the printed address by hand."""
    return {
        "DATABRICKS_HOST": server.host,
        "REQUESTS_CA_BUNDLE": server.ca_file,
        "LAKEKEY_CACHE_DIR": str(cache),
        "LAKEKEY_INTERACTIVE": "browser",
        "LAKEKEY_LOGIN_TIMEOUT": str(30 * SLOWER),
        "DATABRICKS_OAUTH_CALLBACK_PORT": str(free_port()),
        "BROWSER": "none",
        "NO_COLOR": "1",  # a pattern finds an address that is not a link as well
        **more,
    }


def free_port() -> int:
    """A port that was free on both loopback addresses a moment ago."""
    while True:
        with socket.socket() as four, socket.socket(socket.AF_INET6) as six:
            four.bind(("127.0.0.1", 0))
            port = four.getsockname()[1]
            try:
                six.bind(("::1", port))
            except OSError:
                continue
            return port


def is_free(port: int) -> bool:
    """Whether a listener could be bound to the port now."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
