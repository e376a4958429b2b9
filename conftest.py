"""Every test starts from a machine that knows nothing of Databricks and has nobody at it."""

import os

import pytest

from lakekey import _public

pytest_plugins = ["support.fixtures"]

_FOREIGN = ("DATABRICKS_", "LAKEKEY_", "AIRFLOW_", "ARM_", "GITHUB_", "ACTIONS_", "SYSTEM_")
_PLACES = ("CI", "BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch, tmp_path_factory):
    """No configuration, no cache and no keyring of the machine that runs the tests is seen or touched."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN) or name in _PLACES:
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("LAKEKEY_CACHE_DIR", str(home / "cache"))
    monkeypatch.setenv("LAKEKEY_KEY_SOURCE", "file")
    _public._warned.clear()  # a process warns once of each profile; each test is a process of its own
    return home
