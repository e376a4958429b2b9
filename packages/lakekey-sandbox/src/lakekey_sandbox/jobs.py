"""The Jobs API, as far as orchestrators use it: jobs are kept, runs go through their states, nothing is executed.

A run moves on each time it is looked at: pending, running, ended well. So a client that polls sees every state,
and no test has to wait for a clock.
"""

import itertools
import threading
import time
from typing import Any

from flask import Flask, Response, jsonify, request

from lakekey_sandbox.bearer import Bearer, api_error
from lakekey_sandbox.realm import Realm

_LIFE = ("PENDING", "RUNNING", "TERMINATED")
_VERSIONS = ("2.1", "2.2")


class _Jobs:
    """The jobs and runs of a workspace."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1001)
        self._jobs: dict[int, dict[str, Any]] = {}
        self._runs: dict[int, dict[str, Any]] = {}

    def create(self, settings: dict[str, Any], owner: str) -> int:
        with self._lock:
            job_id = next(self._numbers)
            self._jobs[job_id] = {"job_id": job_id, "creator_user_name": owner, "settings": settings}
            return job_id

    def reset(self, job_id: int, settings: dict[str, Any]) -> bool:
        with self._lock:
            known = job_id in self._jobs
            if known:
                self._jobs[job_id]["settings"] = settings
            return known

    def named(self, name: str | None) -> list[dict[str, Any]]:
        with self._lock:
            return [job for job in self._jobs.values() if name is None or job["settings"].get("name") == name]

    def settings(self, job_id: int) -> dict[str, Any] | None:
        with self._lock:
            job = self._jobs.get(job_id)
            return job["settings"] if job is not None else None

    def start(self, settings: dict[str, Any], owner: str, job_id: int | None = None) -> int:
        with self._lock:
            run_id = next(self._numbers)
            self._runs[run_id] = {
                "run_id": run_id,
                # A run that was submitted has a job of its own, which is not listed.
                "job_id": job_id if job_id is not None else next(self._numbers),
                "creator_user_name": owner,
                "run_name": settings.get("run_name") or settings.get("name") or "Untitled",
                "start_time": int(time.time() * 1000),
                "looks": 0,
                "tasks": [
                    {"task_key": task.get("task_key", "task"), "run_id": next(self._numbers)}
                    for task in settings.get("tasks", [])
                ],
            }
            return run_id

    def look(self, run_id: int) -> dict[str, Any] | None:
        with self._lock:
            run = self._runs.get(run_id)
            if run is None:
                return None
            state = _state(run["looks"])
            run["looks"] += 1
            shown = {name: value for name, value in run.items() if name != "looks"}
            return {**shown, "state": state, "tasks": [{**task, "state": state} for task in run["tasks"]]}


def _state(looks: int) -> dict[str, str]:
    life = _LIFE[min(looks, len(_LIFE) - 1)]
    ended = {"result_state": "SUCCESS"} if life == "TERMINATED" else {}
    return {"life_cycle_state": life, "state_message": "", **ended}


class _Api:
    """The routes, each for a signed-in client."""

    def __init__(self, realm: Realm) -> None:
        self._host = realm.host
        self._bearer = Bearer(realm)
        self._jobs = _Jobs()

    def create(self) -> Response:
        owner = self._owner()
        return jsonify(job_id=self._jobs.create(_body(), owner))

    def reset(self) -> Response:
        self._owner()
        job_id = _number(_body().get("job_id"))
        return jsonify({}) if self._jobs.reset(job_id, _body().get("new_settings", {})) else _no_job(job_id)

    def list(self) -> Response:
        self._owner()
        return jsonify(jobs=self._jobs.named(_parameter("name")), has_more=False)

    def run_now(self) -> Response:
        owner, job_id = self._owner(), _number(_body().get("job_id"))
        settings = self._jobs.settings(job_id)
        return _no_job(job_id) if settings is None else jsonify(run_id=self._jobs.start(settings, owner, job_id))

    def submit(self) -> Response:
        owner = self._owner()
        return jsonify(run_id=self._jobs.start(_body(), owner))

    def look(self) -> Response:
        self._owner()
        run_id = _number(_parameter("run_id"))
        run = self._jobs.look(run_id)
        if run is None:
            return api_error(400, "INVALID_PARAMETER_VALUE", f"Run {run_id} does not exist.")
        return jsonify({**run, "run_page_url": f"{self._host}/#job/{run['job_id']}/run/{run['run_id']}"})

    def _owner(self) -> str:
        return self._bearer.subject("jobs", "all-apis").name


def mount(app: Flask, realm: Realm) -> None:
    """Adds the Jobs API to the application.

    Args:
        app: The application.
        realm: The sandbox's state.
    """
    api = _Api(realm)
    for version in _VERSIONS:
        for method, path, view in (
            ("POST", "create", api.create),
            ("POST", "reset", api.reset),
            ("GET", "list", api.list),
            ("POST", "run-now", api.run_now),
            ("POST", "runs/submit", api.submit),
            ("GET", "runs/get", api.look),
        ):
            app.add_url_rule(f"/api/{version}/jobs/{path}", f"jobs {version} {path}", view, methods=[method])


def _parameter(name: str) -> Any:
    """A parameter of a GET: in the query, or in a body, as Databricks takes it too and Airflow's triggers send it."""
    return request.args.get(name) or _body().get(name)


def _number(value: Any) -> int:
    """A 64-bit number, which protocol buffers' JSON may also carry as a string."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def _no_job(job_id: int) -> Response:
    return api_error(400, "INVALID_PARAMETER_VALUE", f"Job {job_id} does not exist.")


def _body() -> dict[str, Any]:
    body = request.get_json(silent=True)
    return body if isinstance(body, dict) else {}
