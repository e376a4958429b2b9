"""Faults on request: what a client sees, and what the sandbox has done."""

import threading
import time

import pytest
import requests

from support.waiting import until

USER = "ada@example.com"


def test_a_route_fails_as_often_as_it_was_told(box, client):
    box.fault("token", times=2, status=503, headers={"Retry-After": "1"}, body="<h1>busy</h1>")
    for _ in range(2):
        answer = client.service_principal()
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert answer.headers["Content-Type"].startswith("text/html")
    assert client.service_principal().status_code == 200
    assert (box.counters["token.requests"], box.counters["token.client_credentials"]) == (3, 1)


def test_a_mapping_becomes_json(box, client):
    box.fault("token", status=400, body={"error": "invalid_request", "error_description": "Temporarily throttled"})
    assert client.service_principal().json()["error"] == "invalid_request"


def test_a_fault_for_one_route_leaves_the_others_alone(box, client):
    box.fault("discovery", status=500)
    assert client.service_principal().status_code == 200
    assert client.get("/oidc/.well-known/oauth-authorization-server").status_code == 500


def test_fault_can_answer_with_html_instead_of_json(box, client):
    box.fault("config", body="<html>console</html>")
    answer = client.get("/.well-known/databricks-config")
    assert (answer.status_code, answer.text) == (200, "<html>console</html>")


def test_a_dropped_request_was_not_processed(box, client):
    tokens = client.tokens()
    box.fault("token", drop=True)
    with pytest.raises(requests.ConnectionError):
        client.refresh(tokens["refresh_token"])
    assert box.stored_refresh_tokens(USER) == [tokens["refresh_token"]]
    assert box.log[-1].status == 0


def test_an_answer_dropped_after_processing_has_spent_the_refresh_token(box, client):
    tokens = client.tokens()
    box.fault("token", drop_after=True)
    with pytest.raises(requests.ConnectionError):
        client.refresh(tokens["refresh_token"])
    assert tokens["refresh_token"] not in box.stored_refresh_tokens(USER)
    assert len(box.stored_refresh_tokens(USER)) == 1


def test_a_truncated_body_is_noticed(box, client):
    box.fault("token", body='{"access_token": "eyJ', headers={"Content-Length": "1000"})
    with pytest.raises(requests.RequestException):
        client.service_principal()


def test_a_delay_comes_before_the_real_answer(box, client):
    box.fault("token", delay=0.3)
    started = time.monotonic()
    assert client.service_principal().status_code == 200
    assert time.monotonic() - started >= 0.3


def test_a_hanging_request_ends_with_the_faults(box, client):
    box.fault("token", hang=True)
    failures = []

    def ask():
        try:
            client.service_principal()
        except requests.ConnectionError as error:
            failures.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    until(lambda: not box._faults._faults)  # the request is held
    assert thread.is_alive()
    box.clear_faults()
    thread.join(10)
    assert len(failures) == 1
    assert client.service_principal().status_code == 200


def test_stopping_does_not_wait_for_a_hanging_request(box, client):
    before = set(threading.enumerate())
    box.fault("token", hang=True, times=None)
    with pytest.raises(requests.Timeout):
        client.http.post(f"{client.issuer}/v1/token", timeout=(10, 0.3))
    box.stop()
    assert set(threading.enumerate()) <= before, "it was given up, and hangs still"


def test_cleared_faults_are_gone(box, client):
    box.fault("token", status=500, times=None)
    assert client.service_principal().status_code == 500
    box.clear_faults()
    assert client.service_principal().status_code == 200


@pytest.mark.parametrize("options", [{"route": "nowhere"}, {"route": "token", "times": 0}])
def test_a_fault_that_could_never_happen_is_refused(box, options):
    with pytest.raises(ValueError, match=r"route|times"):
        box.fault(**options)
