"""A whole Airflow: API server, scheduler, triggerer and worker processes, as ``airflow standalone`` runs them."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

import requests

from support.airflow_home import BIN

#: Who may sign in to it: user → role; the password of each is the name, read backwards.
PEOPLE = {
    "root": "ADMIN",
    "ada@example.com": "USER",
    "grace@example.com": "VIEWER",
    "Ada@Example.com": "USER",
    "hedy": "USER",
}


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
        assert not self._awaited, f"{self._awaited} is not said: {''.join(self.output[-60:])}"
        self.http.headers["Authorization"] = f"Bearer {self.token_of('root')}"

    def token_of(self, user):
        """What a person gets who signs in at Airflow's own form; its page makes a cookie of it."""
        known = {"username": user, "password": user[::-1]}
        return self.http.post(f"{self.url}/auth/token", json=known, timeout=60).json()["access_token"]

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
