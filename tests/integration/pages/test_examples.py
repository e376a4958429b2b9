"""The examples, run as they stand against the sandbox."""

import configparser
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


@pytest.fixture
def box(unnamed_workspace):
    """The sandbox, named by the examples' own profiles with its values put in."""
    box = unnamed_workspace
    ours = {
        "host": box.host,
        "warehouse_id": box.warehouse_id,
        "cluster_id": box.cluster_id,
        "client_id": box.client_id,
        "client_secret": box.client_secret,
    }
    profiles = configparser.ConfigParser()
    profiles.read(EXAMPLES / "databrickscfg")
    for section in profiles.sections():
        for name in profiles[section]:
            profiles[section][name] = ours[name]
        profiles[section]["ca_file"] = box.ca_file
    with open(os.environ["DATABRICKS_CONFIG_FILE"], "w") as file:
        profiles.write(file)
    return box


def run(name, **environment):
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done


def test_a_warehouse(box):
    assert run("warehouse.py").stdout == "ada@example.com asked, and the answer is 42\n"


def test_a_cluster(box):
    assert run("cluster.py").stdout == "ada@example.com sees cluster sandbox: RUNNING\n"


def test_a_warehouse_and_a_cluster_with_one_sign_in(box):
    assert run("both.py").stdout.splitlines() == [
        "the warehouse knows ada@example.com",
        "the cluster sandbox is RUNNING for ada@example.com",
    ]
    assert box.counters["logins"] == 1


def test_development_as_oneself_beside_production_as_the_service_principal(box):
    assert run("development_and_production.py").stdout == "prod runs as ada@example.com\n"
    scheduled = run(
        "development_and_production.py", DATABRICKS_CONFIG_PROFILE="nightly", LAKEKEY_INTERACTIVE="auto", CI="true"
    )
    assert scheduled.stdout == f"nightly runs as {box.client_id}\n"
    said = [line for line in scheduled.stderr.splitlines() if line.startswith("nightly: ")]
    assert f"nightly: a CI job signs in to {box.host} as {box.client_id} (oauth-m2m)" in said
    forgotten = run("development_and_production.py", LAKEKEY_INTERACTIVE="auto", CI="true")
    assert forgotten.stdout == "prod runs as ada@example.com\n"  # with the session that ada left
    assert "ServicePrincipalMissingWarning: prod: " in forgotten.stderr
    assert box.counters["logins"] == 1


def test_examples_use_the_readmes_profiles():
    said = configparser.ConfigParser()
    said.read(EXAMPLES / "databrickscfg")
    readme = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    assert said.sections() == re.findall(r"^\[(\w+)\]$", readme, re.MULTILINE) == ["prod", "nightly"]


def test_every_example_is_run_by_a_test():
    tests = "".join(test.read_text() for test in EXAMPLES.parent.glob("tests/**/*.py"))
    assert [example.name for example in EXAMPLES.glob("*.py") if example.name not in tests] == []
