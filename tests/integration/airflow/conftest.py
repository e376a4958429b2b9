"""These tests need Airflow, which lives in an environment of its own: make test-airflow."""

import os
import shutil
import tempfile

import pytest

# Airflow makes its home when it is imported, and reads most settings then: this has to come first.
_SETTINGS = {
    "AIRFLOW_HOME": tempfile.mkdtemp(prefix="lakekey-airflow-"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
}
os.environ.update(_SETTINGS)

from lakekey.sandbox import Sandbox  # noqa: E402


def pytest_unconfigure():
    shutil.rmtree(_SETTINGS["AIRFLOW_HOME"], ignore_errors=True)


@pytest.fixture(autouse=True)
def airflow_settings(bare_machine, monkeypatch):
    """A bare machine, but for where this process has its Airflow."""
    for name, value in _SETTINGS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def sandbox():
    with Sandbox() as box:
        yield box


@pytest.fixture
def box(sandbox):
    sandbox.clear_faults()
    sandbox.reset_log()
    yield sandbox
    sandbox.clear_faults()
