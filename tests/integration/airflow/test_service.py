"""A whole Airflow: API server, scheduler, triggerer and worker processes, as ``airflow standalone`` runs them."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest
import requests

from lakekey.sandbox import Sandbox
from support.airflow_home import BIN, Airflow, definition, leaks

pytestmark = pytest.mark.timeout(400)
DAGS = ("lakekey_example", "careless", "unconfigured")


class Service:
    """Airflow on loopback, and what its REST API says."""

    def __init__(self, airflow, port):
        self.airflow = airflow
        self.url = f"http://127.0.0.1:{port}"
        self.output = []
        # The first is about all components but the API server, the second about that one.
        self._awaited = {"Airflow is ready", f"Uvicorn running on {self.url} "}
        self._settled = threading.Event()
        # A session of its own: its processes can be ended together, and nothing else with them.
        self._process = subprocess.Popen(
            [BIN / "airflow", "standalone"],
            env=airflow.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.http = requests.Session()
        self.http.trust_env = False

    def _read(self):
        for line in self._process.stdout:
            self.output.append(line)
            self._awaited -= {words for words in self._awaited if words in line}
            if not self._awaited:
                self._settled.set()
        self._settled.set()

    def wait_until_ready(self):
        self._settled.wait(240)
        assert not self._awaited, "".join(self.output[-60:])
        answer = self.http.get(f"{self.url}/auth/token", timeout=30)
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def call(self, method, path, **options):
        answer = self.http.request(method, self.url + path, timeout=240, **options)
        assert answer.ok, answer.text
        return answer

    def run(self, dag):
        """Run a DAG to its end; the state that it ends in."""
        started = self.call("POST", f"/api/v2/dags/{dag}/dagRuns", json={"logical_date": None}).json()
        path = f"/api/v2/dags/{dag}/dagRuns/{started['dag_run_id']}/wait"
        said = self.call("GET", path, params={"interval": 0.5}, headers={"Accept": "application/x-ndjson"}).text
        return json.loads(said.splitlines()[-1])["state"]

    def task_log(self, dag, task):
        (path,) = (self.airflow.home / "logs" / f"dag_id={dag}").rglob(f"task_id={task}/*.log")
        return Path(path).read_text()

    def stop(self):
        # The second signal is for what a component has left behind.
        for sent in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, sent)
                self._process.wait(20)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        self._reader.join(20)
        self._process.stdout.close()
        self.http.close()


def free_ports(count):
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


@pytest.fixture(scope="module")
def sandbox():
    """Its tokens are no JWTs: those Airflow would mask by their looks, whoever made them known."""
    with Sandbox(opaque_tokens=True) as box:
        yield box


@pytest.fixture(scope="module")
def service(sandbox, tmp_path_factory):
    port, log_port, trigger_log_port = free_ports(3)
    home = tmp_path_factory.mktemp("service") / "home"
    opened = home / "opened"
    airflow = Airflow(
        home,
        sandbox,
        AIRFLOW__API__BASE_URL=f"http://127.0.0.1:{port}",
        AIRFLOW__API__HOST="127.0.0.1",
        AIRFLOW__API__PORT=str(port),
        AIRFLOW__API__WORKERS="1",
        AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT=str(trigger_log_port),
        AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT=str(log_port),
        AIRFLOW__CORE__EXECUTION_API_SERVER_URL=f"http://127.0.0.1:{port}/execution/",
        AIRFLOW__CORE__PARALLELISM="2",
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS="True",
        AIRFLOW__CORE__TEST_CONNECTION="Enabled",
        AIRFLOW_CONN_PERSON=definition(sandbox, login=None, password=None),
        BROWSER=f"touch {opened} #",
        # The strongest that an environment can say for a browser: a task is none the less automation.
        LAKEKEY_INTERACTIVE="browser",
    )
    (airflow.dags / "service_dags.py").write_text(Path(__file__).with_name("service_dags.py").read_text())
    for command in (("db", "migrate"), ("dags", "reserialize")):
        done = airflow.run(*command)
        assert done.returncode == 0, done.stdout + done.stderr
    sandbox.reset_log()
    service = Service(airflow, port)
    service.opened = opened
    try:
        service.wait_until_ready()
        yield service
    finally:
        service.stop()


@pytest.fixture(scope="module")
def ended(service, sandbox):
    sandbox.reset_log()
    states = {dag: service.run(dag) for dag in DAGS}
    return states, sandbox.counters, sandbox.log


def test_the_example_succeeds_on_workers_and_in_the_triggerer_with_one_token_request(ended, service):
    states, counters, log = ended
    assert states["lakekey_example"] == "success", "".join(service.output[-80:])
    assert counters["token.requests"] == 1
    assert counters["unauthorized"] == 0
    assert [record.path for record in log].count("/api/2.2/jobs/runs/get") == 6


def test_a_task_that_prints_its_secrets_finds_them_masked(ended, service):
    states, _, _ = ended
    assert states["careless"] == "success"
    said = service.task_log("careless", "give_away")
    for words in ("the token is >***<", "the header is >Bearer ***<", "the secret is >***<"):
        assert words in said


def test_a_task_without_a_service_principal_is_warned_and_fails_at_once_and_opens_no_browser(ended, service):
    states, _, log = ended
    assert states["unconfigured"] == "failed"
    said = service.task_log("unconfigured", "query")
    assert "an Airflow task should sign in as a service principal" in said
    assert "not signed in" in said
    assert "run: lakekey login" in said
    assert not service.opened.exists()
    assert not [record for record in log if record.route == "authorize"]


def test_no_secret_is_in_the_logs_the_database_and_the_output(ended, service, sandbox):
    # LocalExecutor (Airflow 3.3) also copies what a task says to the scheduler's console, past every mask: there the
    # password of any connection shows. The careless task is looked for in its log, which is what people see.
    console = [line for line in service.output if " is >" not in line]
    everything = service.airflow.written() + "".join(console).encode()
    assert b"task_id=give_away" in everything
    assert leaks(everything, sandbox) == []


def test_the_connection_form_has_our_fields(service):
    (form,) = [
        form
        for form in service.call("GET", "/ui/connections/hook_meta").json()
        if form["connection_type"] == "lakekey_databricks"
    ]
    assert form["hook_name"] == "Databricks (lakekey)"
    titles = {name: field["title"] for name, field in form["standard_fields"].items() if field and field["title"]}
    assert titles == {"host": "Workspace", "login": "Client ID", "password": "Client secret"}
    assert list(form["extra_fields"])[:3] == ["profile", "http_path", "warehouse_id"]
    # A name that Airflow takes for a secret's would be shown, and saved, as stars.
    assert "***" not in json.dumps(form)


def test_the_forms_test_button_says_who_is_signed_in(ended, service, sandbox):
    given = json.loads(definition(sandbox))
    body = {**given, "connection_id": "tried", "extra": json.dumps(given["extra"])}
    answer = service.call("POST", "/api/v2/connections/test", json=body).json()
    assert answer["status"] is True
    assert f"as {sandbox.client_id} (oauth-m2m)" in answer["message"]
    answer = service.call("POST", "/api/v2/connections/test", json={**body, "password": "dose-wrong"}).json()
    assert answer["status"] is False
    assert "dose-wrong" not in answer["message"]
