"""Fixtures for the tests of programs that sign in to Databricks.

``lakekey_sandbox`` is a running workspace for the whole test session, ``lakekey_person`` a person who signs
in to it, ``lakekey_environment`` an environment in which a program under test finds both by itself.

The plugin loads with every pytest run where lakekey-sandbox is installed; it imports the sandbox only when asked.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lakekey.sandbox import Person, Sandbox

# What a developer's shell or a CI job says of another workspace, identity or cache; by the beginnings of its names.
_ELSEWHERE = ("ACTIONS_ID_TOKEN_", "ARM_", "DATABRICKS_", "LAKEKEY_", "SYSTEM_ACCESSTOKEN")


@pytest.fixture(scope="session")
def lakekey_sandbox() -> Iterator["Sandbox"]:
    """A workspace on loopback that runs until the end of the test session."""
    from lakekey.sandbox import Sandbox

    with Sandbox() as box:
        yield box


@pytest.fixture
def lakekey_person(lakekey_sandbox: "Sandbox") -> "Person":
    """The sandbox's first user, who signs in: ``lakekey_person(url)`` answers the sign-in page."""
    return lakekey_sandbox.person()


@pytest.fixture
def lakekey_environment(
    lakekey_sandbox: "Sandbox",
    lakekey_person: "Person",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator["Sandbox"]:
    """The sandbox, with an environment that leads programs to it and to a cache of their own.

    The browser that such a program opens is ``lakekey_person``. Whatever was set before of lakekey's and
    Databricks' variables, and of a CI job's identity, is out of sight. The sandbox's log is empty and no fault
    is set, before the test and after it.
    """
    for name in list(os.environ):
        if name.startswith(_ELSEWHERE):
            monkeypatch.delenv(name)
    settings = {
        **lakekey_sandbox.environment(),
        "BROWSER": lakekey_person.command(),
        "DATABRICKS_CONFIG_FILE": str(tmp_path / "databrickscfg"),
        "LAKEKEY_CACHE_DIR": str(tmp_path / "lakekey"),
        "LAKEKEY_INTERACTIVE": "browser",
        "LAKEKEY_KEY_SOURCE": "file",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    lakekey_sandbox.clear_faults()
    lakekey_sandbox.reset_log()
    yield lakekey_sandbox
    lakekey_sandbox.clear_faults()
    lakekey_sandbox.reset_log()
