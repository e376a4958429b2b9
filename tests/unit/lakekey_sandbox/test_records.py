"""The request log and its counters."""


def test_the_log_names_people_and_holds_no_secret(box, client):
    tokens = client.tokens()
    service = client.service_principal().json()
    client.me(tokens["access_token"])
    text = repr(box.log) + repr(box.counters)
    assert "ada@example.com" in text
    secrets = [tokens["access_token"], tokens["refresh_token"], service["access_token"], box.client_secret]
    assert not [secret for secret in (*secrets, client.verifier, client.challenge) if secret in text]


def test_record_has_the_request_the_caller_and_the_outcome(box, client):
    client.refresh("never issued")
    record = box.log[-1]
    assert (record.method, record.path, record.route) == ("POST", "/oidc/v1/token", "token")
    assert (record.status, record.event, record.error) == (400, "refresh_token", "invalid_grant")
    assert record.client_id == "databricks-cli"
    assert record.user_agent.startswith("python-requests/")


def test_resetting_the_log_starts_the_counters_again(box, client):
    client.tokens()
    box.reset_log()
    assert box.log == []
    assert not any(box.counters.values())
