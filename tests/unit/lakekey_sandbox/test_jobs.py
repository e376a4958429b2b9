"""The Jobs API, as far as orchestrators use it."""

import pytest


@pytest.fixture
def call(box, client):
    headers = {"Authorization": f"Bearer {client.service_principal().json()['access_token']}"}

    def call(method, path, **options):
        return client.http.request(method, f"{box.host}/api/2.2/jobs/{path}", headers=headers, timeout=10, **options)

    return call


def test_a_submitted_run_goes_through_its_states_as_it_is_looked_at(call, box):
    run_id = call("POST", "runs/submit", json={"run_name": "nightly", "tasks": [{"task_key": "a"}]}).json()["run_id"]
    looks = [call("GET", "runs/get", params={"run_id": run_id}).json() for _ in range(4)]
    assert [run["state"]["life_cycle_state"] for run in looks] == ["PENDING", "RUNNING", "TERMINATED", "TERMINATED"]
    assert looks[-1]["state"]["result_state"] == "SUCCESS"
    assert looks[-1]["tasks"][0]["state"] == looks[-1]["state"]
    assert (looks[0]["run_name"], looks[0]["creator_user_name"]) == ("nightly", box.client_id)
    assert looks[0]["run_page_url"].startswith(box.host)


def test_a_job_is_found_by_its_name_changed_and_run(call):
    job_id = call("POST", "create", json={"name": "nightly"}).json()["job_id"]
    assert [job["job_id"] for job in call("GET", "list", params={"name": "nightly"}).json()["jobs"]] == [job_id]
    assert call("GET", "list", params={"name": "another"}).json()["jobs"] == []
    assert call("POST", "reset", json={"job_id": job_id, "new_settings": {"name": "weekly"}}).status_code == 200
    run_id = call("POST", "run-now", json={"job_id": str(job_id)}).json()["run_id"]
    run = call("GET", "runs/get", json={"run_id": run_id}).json()
    assert (run["job_id"], run["run_name"]) == (job_id, "weekly")


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("POST", "run-now", {"json": {"job_id": 1}}),
        ("POST", "reset", {"json": {"job_id": 1, "new_settings": {}}}),
        ("GET", "runs/get", {"params": {"run_id": 1}}),
    ],
)
def test_what_is_not_there_is_an_invalid_parameter(call, method, path, options):
    answer = call(method, path, **options)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_jobs_want_a_scope_for_jobs(box, client):
    headers = {"Authorization": f"Bearer {client.service_principal(scope='sql').json()['access_token']}"}
    assert (
        client.http.post(f"{box.host}/api/2.2/jobs/runs/submit", headers=headers, json={}, timeout=10).status_code
        == 403
    )
