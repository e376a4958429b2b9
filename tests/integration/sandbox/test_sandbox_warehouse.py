"""The unmodified databricks-sql-connector against the sandbox's warehouse.

``LAKEKEY_TEST_CONNECTORS`` names the interpreters to run the connector in, separated like a search path: one for
each release to be tested. Without it, the connector of this environment is tested.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from lakekey.sandbox import Sandbox

BATTERY = Path(__file__).with_name("warehouse_battery.py")
CHECKS = re.findall(r"^def (check_\w+)", BATTERY.read_text(), re.MULTILINE)
INTERPRETERS = os.environ.get("LAKEKEY_TEST_CONNECTORS", sys.executable).split(os.pathsep)
SUBJECTS = ["first-principal", "second-principal"]


def access_token(box, subject):
    form = {"grant_type": "client_credentials", "scope": "sql"}
    url = f"{box.host}/oidc/v1/token"
    answer = requests.post(url, data=form, auth=(subject, "secret"), verify=box.ca_file, timeout=10)
    return answer.json()["access_token"]


@pytest.fixture(scope="module")
def box():
    with Sandbox() as box:
        for subject in SUBJECTS:
            box.register_client(subject, client_secret="secret")
        yield box


@pytest.fixture(scope="module", params=INTERPRETERS)
def outcome(request, box):
    given = {
        "arguments": box.connect_args(),
        "tokens": [access_token(box, subject) for subject in SUBJECTS],
        "subjects": SUBJECTS,
    }
    run = subprocess.run(
        [request.param, str(BATTERY)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("check", CHECKS)
def test_the_connector_can(check, outcome):
    assert outcome[check] == "ok", f"databricks-sql-connector {outcome['version']}: {outcome[check]}"


def test_the_battery_ran_every_check(outcome):
    assert sorted(outcome) == sorted([*CHECKS, "version"])
