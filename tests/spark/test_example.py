"""The example runs as its reader would run it."""

import os
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "spark.py"


def test_the_example_runs_with_a_profile(workspace, front, tmp_path):
    configuration = tmp_path / "databrickscfg"
    configuration.write_text(
        f"[prod]\nhost = {front.host}\ncluster_id = 0101-000000-sandbox0\nca_file = {front.ca_file}\n"
        f"client_id = {workspace.client_id}\nclient_secret = {workspace.client_secret}\n"
    )

    run = subprocess.run(
        [sys.executable, str(EXAMPLE), "prod"],
        env={**os.environ, "DATABRICKS_CONFIG_FILE": str(configuration)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        "one: 1",
        "spent: {'Oslo': 16.0, 'Turin': 7.0}",
        "loud: ['OSLO', 'TURIN']",
        "rows: 100000",
        "again: 2",
    ]
    assert workspace.counters["token.client_credentials"] == 1
