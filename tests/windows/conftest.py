"""Machines of Windows, whose programs Wine runs; their servers run on Linux, on the loopback address that both share."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from support import wine
from support.sessions import Child, Machine


class WindowsChild(Child):
    """A Windows process, which takes its time under Wine."""

    def next(self, timeout: float = wine.PATIENCE) -> dict[str, Any]:
        """Its next report."""
        return super().next(timeout)


class WindowsMachine(Machine):
    """A machine whose processes are Windows programs, and whose cache this test can read."""

    def windows_environ(self, **more: str) -> dict[str, str]:
        """The environment of its processes, with paths as they name them."""
        mine = {**super().environ, "LAKEKEY_KEY_SOURCE": "file"}
        for name in ("REQUESTS_CA_BUNDLE", "LAKEKEY_CACHE_DIR"):
            mine[name] = wine.windows(mine[name])
        mine["PYTHONPATH"] = wine.windows(wine.ROOT / "tests")
        ours = {
            name: value for name, value in mine.items() if os.environ.get(name) != value or name.startswith("LAKEKEY_")
        }
        return {**wine.environ(), **ours, **more}

    @property
    def cache(self):
        """The cache. Wine makes files for everybody, which Linux's programs refuse to read."""
        for folder, _, names in os.walk(self.directory):
            os.chmod(folder, 0o700)
            for name in names:
                os.chmod(os.path.join(folder, name), 0o600)
        return super().cache

    @contextmanager
    def child(self, module: str, *arguments: str, **environ: str) -> Iterator[Child]:
        """A Windows process that runs a module of `support.programs`."""
        command = ["wine", str(wine.PYTHON), "-m", f"support.programs.{module}", *arguments]
        with WindowsChild(command, self.windows_environ(**environ)) as child:
            yield child

    def python(self, code: str, *arguments: str, **environ: str) -> Child:
        """A Windows process that runs some code."""
        return WindowsChild(["wine", str(wine.PYTHON), "-c", code, *arguments], self.windows_environ(**environ))


@pytest.fixture(scope="session", autouse=True)
def services_of_wine():
    """They run all the time."""
    with wine.running():
        yield


@pytest.fixture
def machine(oidc_server, tmp_path):
    """A machine of Windows whose session has an expired access token."""
    machine = WindowsMachine(oidc_server, tmp_path / "cache")
    machine.sign_in()
    oidc_server.reset()
    return machine


@pytest.fixture
def service(oidc_server, tmp_path):
    """A machine of Windows whose programs are a service principal."""
    return WindowsMachine(oidc_server, tmp_path / "service", service=True)


@pytest.fixture
def run(machine):
    """Runs ``lakekey.exe`` on that machine: exit status, output and errors."""

    def run(*arguments: str, **environ: str):
        return wine.run(wine.LAKEKEY, *arguments, **{**machine.windows_environ(), **environ})

    return run
