"""Programs of their own: what a test starts beside itself, with the environment that the test has set."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.pace import SLOWER

LAKEKEY = os.path.join(sysconfig.get_path("scripts"), f"lakekey{sysconfig.get_config_var('EXE') or ''}")
_PATIENCE = 100 * SLOWER  # seconds


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    """Starts a Python program; `finish` waits for it."""
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )


def finish(process: subprocess.Popen[str]) -> str:
    """What a program printed, once it has ended well."""
    try:
        out, err = process.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"the program did not end:\n{out}{err}") from None
    assert process.returncode == 0, out + err
    return out.strip()


def run(program: str, *arguments: str) -> str:
    """What a Python program prints."""
    return finish(start(program, *arguments))


def passes(directory: Path, test: str) -> str:
    """What pytest prints of a test file of a user's, in a process and a directory of its own, where it passes."""
    file = directory / "test_of_a_user.py"
    file.write_text(test, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=directory, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def lakekey(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the command line as a person's shell does, without a terminal."""
    return subprocess.run(
        [LAKEKEY, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=_PATIENCE, check=False
    )


@contextmanager
def lakekey_running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command line in the background; whatever is left of it at the end is killed."""
    command = [LAKEKEY, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
