"""A whole Airflow runs DAGs against the sandbox, while people are connected to the page in its UI."""

import json

import pytest

from support.airflow_home import definition, leaks

pytestmark = pytest.mark.timeout(400)


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


def test_no_secret_is_in_the_logs_the_database_and_the_output(ended, service, opaque_sandbox):
    # LocalExecutor (Airflow 3.3) also copies what a task says to the scheduler's console, past every mask: there the
    # password of any connection shows. The careless task is looked for in its log, which is what people see.
    console = [line for line in service.output if " is >" not in line]
    everything = service.airflow.written() + "".join(console).encode()
    assert b"task_id=give_away" in everything
    assert leaks(everything, opaque_sandbox) == []


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


def test_the_forms_test_button_says_who_is_signed_in(ended, service, opaque_sandbox):
    given = json.loads(definition(opaque_sandbox))
    body = {**given, "connection_id": "tried", "extra": json.dumps(given["extra"])}
    answer = service.call("POST", "/api/v2/connections/test", json=body).json()
    assert answer["status"] is True
    assert f"as {opaque_sandbox.client_id} (oauth-m2m)" in answer["message"]
    answer = service.call("POST", "/api/v2/connections/test", json={**body, "password": "dose-wrong"}).json()
    assert answer["status"] is False
    assert "dose-wrong" not in answer["message"]
