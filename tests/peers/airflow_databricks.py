"""Runs the unit tests of Airflow's Databricks provider with lakekey's plugin loaded, or without it.

    python tests/peers/airflow_databricks.py SOURCE [--without] [pytest's arguments]

SOURCE is the provider's source distribution, unpacked, of the release that this interpreter's environment has. Nothing
is fetched. The suite asks for helpers of Airflow's own repository, which are no package of their own: a stand-in for
the few that it uses is below. Run it with and without the plugin: the counts of failures are to be the same.
"""

import os
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import pytest


class Helpers:
    """What the suite takes from ``tests_common``, and lakekey's plugin where it is wanted."""

    def __init__(self, *, plugin):
        self._plugin = plugin

    def pytest_configure(self, config):
        config.addinivalue_line("markers", "db_test: uses Airflow's database")
        if self._plugin:
            from airflow.providers.databricks.hooks import databricks_base, databricks_sql

            from lakekey.airflow.plugin import LakekeyPlugin

            LakekeyPlugin.on_load()
            gates = (databricks_base.BaseDatabricksHook._get_token, databricks_sql.DatabricksSqlHook.get_conn)
            assert all(hasattr(gate, "__lakekey__") for gate in gates), "the plugin is not in place"

    @pytest.fixture
    def create_connection_without_db(self, monkeypatch):
        def create(connection):
            monkeypatch.setenv(f"AIRFLOW_CONN_{connection.conn_id.upper()}", connection.as_json())

        return create


def _stand_in():
    """Puts the modules of ``tests_common`` that the suite imports where it looks for them."""
    common = types.ModuleType("tests_common")
    common.RUNNING_TESTS_AGAINST_AIRFLOW_PACKAGES = True
    common.__path__ = []
    utils = types.ModuleType("tests_common.test_utils")
    utils.__path__ = []
    versions = types.ModuleType("tests_common.test_utils.version_compat")
    versions.AIRFLOW_V_3_0_PLUS = versions.AIRFLOW_V_3_1_PLUS = versions.AIRFLOW_V_3_3_PLUS = True
    plugin = types.ModuleType("tests_common.pytest_plugin")
    for module in (common, utils, versions, plugin):
        sys.modules[module.__name__] = module


def run(source, arguments):
    """Runs the suite in this process; gives pytest's exit status."""
    plugin = "--without" not in arguments
    arguments = [each for each in arguments if each != "--without"]
    _stand_in()
    options = ["--rootdir", source, "-c", os.devnull, "-p", "no:cacheprovider", "-p", "no:randomly", "-W", "ignore"]
    options += ["-p", "no:lakekey_sandbox", "--import-mode=importlib", "--continue-on-collection-errors"]
    chosen = [each for each in arguments if not each.startswith("-")] or [f"{source}/tests/unit"]
    flags = [each for each in arguments if each.startswith("-")]
    return pytest.main([*options, *flags, *chosen], plugins=[Helpers(plugin=plugin)])


def main():
    if len(sys.argv) < 2 or not (Path(sys.argv[1]) / "tests" / "unit" / "databricks").is_dir():
        sys.exit(__doc__)
    source = os.path.abspath(sys.argv[1])
    if "LAKEKEY_PEER_DIRECTORY" in os.environ:
        sys.exit(run(source, sys.argv[2:]))
    with tempfile.TemporaryDirectory() as home:
        airflow = {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        }
        foreign = ("LAKEKEY_", "DATABRICKS_", "ARM_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        environment |= {**airflow, "LAKEKEY_PEER_DIRECTORY": home}
        migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
        subprocess.run(migrate, env=environment, check=True, capture_output=True)
        again = [sys.executable, "-P", os.path.abspath(__file__), source, *sys.argv[2:]]
        sys.exit(subprocess.run(again, cwd=home, env=environment, check=False).returncode)


if __name__ == "__main__":
    main()
