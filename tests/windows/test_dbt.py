"""dbt's adapter on Windows, against the sandbox on Linux's loopback."""

import shutil

import pytest

from lakekey.sandbox import Sandbox
from support import wine

pytestmark = pytest.mark.timeout(900)

LONGEST = 600.0  # seconds; dbt loads some two thousand files, which takes Wine a minute
PROFILES = """
weather:
  target: adapter
  outputs:
    adapter:
      type: lakekey
      profile: sandbox
      catalog: main
      schema: weather
"""


def test_adapter_of_dbt_signs_in_and_asks_the_warehouse(tmp_path):
    project = tmp_path / "project"
    shutil.copytree(wine.ROOT / "examples/dbt", project)
    (project / "profiles.yml").write_text(PROFILES)
    with Sandbox() as box:
        ca_file = wine.windows(box.ca_file)
        settings = {"host": box.host, "http_path": box.http_path, "ca_file": ca_file}
        settings |= {"client_id": box.client_id, "client_secret": box.client_secret}
        (tmp_path / "cfg").write_text("\n".join(["[sandbox]", *(f"{name} = {settings[name]}" for name in settings)]))
        sources = (wine.DBT, wine.ROOT / "packages/dbt-lakekey/src", wine.ROOT / "src")
        status, output, errors = wine.run(
            wine.PYTHON, "-c", "from dbt.cli.main import cli; cli()", "--no-use-colors", "debug", "--connection",
            "--project-dir", wine.windows(project),
            timeout=LONGEST,
            PYTHONPATH=";".join(map(wine.windows, sources)),
            DATABRICKS_CONFIG_FILE=wine.windows(tmp_path / "cfg"),
            DBT_PROFILES_DIR=wine.windows(project),
            DBT_SEND_ANONYMOUS_USAGE_STATS="false",
            LAKEKEY_CACHE_DIR=wine.windows(tmp_path / "cache"),
            LAKEKEY_INTERACTIVE="never",
            LAKEKEY_KEY_SOURCE="file",
            REQUESTS_CA_BUNDLE=ca_file,
        )  # fmt: skip
        assert status == 0, output + errors
        assert "adapter type: lakekey" in output
        assert "All checks passed" in output
        assert (box.counters["token.requests"], box.counters["statements"]) == (1, 1)
