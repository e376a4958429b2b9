"""The examples run as their reader would run them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "spark.py"


@pytest.fixture
def run(workspace, front, tmp_path):
    """Runs a program on a machine with the profile `prod`."""
    configuration = tmp_path / "databrickscfg"
    configuration.write_text(
        f"[prod]\nhost = {front.host}\ncluster_id = 0101-000000-sandbox0\nca_file = {front.ca_file}\n"
        f"client_id = {workspace.client_id}\nclient_secret = {workspace.client_secret}\n"
    )

    def run(*command):
        done = subprocess.run(
            [sys.executable, *command],
            env={**os.environ, "DATABRICKS_CONFIG_FILE": str(configuration)},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done

    return run


def test_the_example_runs_with_a_profile(workspace, run):
    done = run(str(EXAMPLE), "prod")
    assert done.stdout.splitlines() == [
        "one: 1",
        "spent: {'Oslo': 16.0, 'Turin': 7.0}",
        "loud: ['OSLO', 'TURIN']",
        "rows: 100000",
        "again: 2",
    ]
    assert workspace.counters["token.client_credentials"] == 1


@pytest.mark.parametrize("number", range(3))
def test_the_examples_of_the_page_run(workspace, run, tmp_path, number):
    page = (ROOT / "docs" / "guides" / "spark.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    shown = [block for block in blocks if "databricks.connect" not in block and "jdbc" not in block]
    assert len(shown) == 3
    program = tmp_path / "program.py"  # from a file: pyspark asks for SPARK_HOME where there is none
    program.write_text(shown[number])
    assert "current_user()" in run(str(program)).stdout
    assert workspace.counters["token.client_credentials"] == 1
