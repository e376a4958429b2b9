"""``airflow dags test`` runs the example DAG: the provider's own operators, signed in by the connection's type."""

import json
import re
import shlex

import pytest

from support.airflow_home import EXAMPLES, Airflow, leaks

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def airflow(sandbox, tmp_path_factory):
    airflow = Airflow(tmp_path_factory.mktemp("dags-test") / "home", sandbox)
    migrated = airflow.run("db", "migrate")
    assert migrated.returncode == 0, migrated.stderr
    return airflow


@pytest.fixture(scope="module")
def run(airflow, sandbox):
    sandbox.reset_log()
    run = airflow.run("dags", "test", "lakekey_example")
    return run, sandbox.counters, sandbox.log


def test_every_task_of_the_example_succeeds(run):
    done, _, _ = run
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "state=success" in done.stdout + done.stderr


def test_sql_jobs_and_the_deferred_wait_share_one_token(run, sandbox):
    _, counters, log = run
    assert (counters["token.requests"], counters["token.client_credentials"]) == (1, 1)
    assert counters["unauthorized"] == 0
    assert counters["statements"] == 3
    signed_in = [record for record in log if record.route in ("sql", "jobs")]
    assert {record.subject for record in signed_in} == {sandbox.client_id}
    paths = {record.path for record in signed_in}
    assert {"/api/2.2/jobs/runs/submit", "/api/2.2/jobs/create", "/api/2.2/jobs/run-now"} <= paths


def test_no_person_is_asked_to_sign_in(run):
    _, counters, log = run
    assert counters["logins"] == 0
    assert not [record for record in log if record.route == "authorize"]


def test_no_secret_is_in_what_airflow_prints_and_keeps(run, airflow, sandbox):
    done, _, _ = run
    everything = (done.stdout + done.stderr).encode() + airflow.written()
    assert b"lakekey_example" in everything
    assert leaks(everything, sandbox) == []


def test_the_example_is_the_one_that_the_page_shows():
    page = (EXAMPLES.parent / "docs" / "guides" / "airflow.md").read_text(encoding="utf-8")
    assert f"```python\n{(EXAMPLES / 'airflow_dag.py').read_text(encoding='utf-8')}```" in page


def test_the_pages_command_makes_the_connection(airflow):
    page = (EXAMPLES.parent / "docs" / "guides" / "airflow.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```console\n\$ (airflow connections add .*?)^```$", page, re.MULTILINE | re.DOTALL)
    _, *arguments = shlex.split(shown.replace("\\\n", " ").replace("lakehouse", "of-the-page"))
    added = airflow.run(*arguments)
    assert added.returncode == 0, added.stdout + added.stderr
    told = json.loads(airflow.run("connections", "get", "of-the-page", "--output", "json").stdout)
    assert told[0]["conn_type"] == "lakekey_databricks"
    assert told[0]["extra_dejson"] == {"warehouse_id": "1234567890abcdef"}
