"""Installs what ``tests/support/servers/oidc/package-lock.json`` pins, once, by the first test that needs it."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from filelock import FileLock

OIDC_DIRECTORY = Path(__file__).parent / "servers" / "oidc"


def node() -> str | None:
    """The path of Node.js, where there is one."""
    return shutil.which("node")


def ensure_installed(directory: Path = OIDC_DIRECTORY) -> None:
    """Runs ``npm ci`` when ``node_modules`` is absent or not what the lock file says."""
    if _is_current(directory):
        return
    # Parallel test workers meet here: one installs, the others find it done.
    with FileLock(directory / ".install.lock", timeout=300):
        if _is_current(directory):
            return
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError("npm is needed to install the OAuth server of the tests")
        done = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
            env={**os.environ, "NODE_ENV": "production"},
        )
        if done.returncode != 0:
            raise RuntimeError(f"npm ci failed in {directory}:\n{done.stdout}")


def _is_current(directory: Path) -> bool:
    try:
        installed = _versions(directory / "node_modules" / ".package-lock.json")
    except (OSError, ValueError):
        return False
    return installed == _versions(directory / "package-lock.json")


def _versions(lock_file: Path) -> dict[str, str]:
    packages = json.loads(lock_file.read_text(encoding="utf-8"))["packages"]
    return {name: package["version"] for name, package in packages.items() if name}
