"""Fixtures and a hook for the top ``conftest.py``: ``pytest_plugins = ["support.fixtures"]``."""

import gc
import itertools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import secret_scan
from support.disks import Disk
from support.node_packages import node
from support.servers.oidc_server import OidcServer

if TYPE_CHECKING:
    from lakekey_sandbox import Sandbox


@pytest.fixture(scope="session")
def directories(tmp_path_factory) -> Iterator[Path]:
    """New directories, two for each of thousands of tests: pytest's own way looks through all there are for each."""
    parent = tmp_path_factory.mktemp("directories")

    def new(number: int) -> Path:
        directory = parent / str(number)
        directory.mkdir(mode=0o700)
        return directory

    return map(new, itertools.count())


@pytest.fixture(scope="session")
def secret_watch() -> secret_scan.Watch:
    """What the whole run has used of secrets."""
    return secret_scan.Watch()


@pytest.fixture(autouse=True)
def no_secret_shows(secret_watch, directories, monkeypatch) -> Iterator[None]:
    """Every test fails in which a secret of this run shows where none may be."""
    directory = next(directories)
    monkeypatch.setenv(secret_scan.DIRECTORY_VARIABLE, str(directory))
    with secret_watch.test(directory):
        yield


@pytest.fixture
def person_leaves(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on, no person is there to sign in."""
    return lambda: monkeypatch.setenv("LAKEKEY_INTERACTIVE", "never")


@pytest.fixture
def person_returns(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on, a person is there to sign in, with a browser, whatever the terminal looks like."""
    return lambda: monkeypatch.setenv("LAKEKEY_INTERACTIVE", "browser")


@pytest.fixture
def unattended(person_leaves: Callable[[], None]) -> None:
    """No person is there to sign in."""
    person_leaves()


@pytest.fixture
def attended(person_returns: Callable[[], None]) -> None:
    """A person is there to sign in, with a browser, whatever the terminal looks like."""
    person_returns()


@pytest.fixture
def ci_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CI job, which lakekey finds out by itself."""
    monkeypatch.setenv("LAKEKEY_INTERACTIVE", "auto")
    monkeypatch.setenv("CI", "true")


@pytest.fixture
def only_profiles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Writes the file of profiles, and leaves the choice of a workspace to it alone."""

    def write(text: str) -> None:
        file = tmp_path / "databrickscfg"
        file.write_text(text)
        monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(file))
        for name in ("DATABRICKS_HOST", "DATABRICKS_HTTP_PATH", "DATABRICKS_WAREHOUSE_ID"):
            monkeypatch.delenv(name, raising=False)

    return write


@pytest.fixture
def unnamed_workspace(lakekey_environment: "Sandbox", monkeypatch: pytest.MonkeyPatch) -> "Sandbox":
    """The sandbox, named by no variable of the environment: a profile has to do it."""
    for name in ("DATABRICKS_HOST", "DATABRICKS_WAREHOUSE_ID"):
        monkeypatch.delenv(name)
    return lakekey_environment


@pytest.fixture(scope="session")
def oidc_server_process() -> Iterator[OidcServer]:
    """One server for the whole run; tests take `oidc_server`, which finds it clean."""
    if facts := os.environ.get("TESTS_OIDC_SERVER"):  # of a run on Windows, whose server Linux runs
        yield OidcServer.running_elsewhere(Path(facts).read_text())
        return
    if node() is None and not os.environ.get("LAKEKEY_REQUIRE_ALL"):
        pytest.skip("Node.js is not here: the independent OAuth server cannot run")
    with OidcServer() as server:
        yield server


@pytest.fixture
def oidc_server(oidc_server_process: OidcServer) -> Iterator[OidcServer]:
    """The independent OAuth server, with its log, faults, holds and settings as at the start."""
    server = oidc_server_process
    server.revoke_all()
    server.reset()
    yield server
    server.reset()


def pytest_collection_finish() -> None:
    """What the collected tests consist of is no place for a secret."""
    secret_scan.pass_over_what_is_alive()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """Other plugins look for referrers of what was alive then."""
    gc.unfreeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the server's side of the story."""
    report = yield
    server = getattr(item, "funcargs", {}).get("oidc_server")
    if report.when == "call" and report.failed and server is not None:
        lines = [json.dumps(entry) for entry in server.log()[-20:]]
        report.sections.append(("OAuth server, last requests", "\n".join(lines)))
        report.sections.append(("OAuth server, stderr", server.stderr()[-4000:]))
    return report


@pytest.fixture
def disk(tmp_path, monkeypatch) -> Iterator[Disk]:
    """A small disk that the cache is on, to be filled up."""
    disk = Disk.mount(tmp_path / "disk")
    if disk is None:
        pytest.skip("this user may not mount a file system")
    monkeypatch.setenv("LAKEKEY_CACHE_DIR", str(disk.where / "cache"))
    yield disk
    disk.unmount()
