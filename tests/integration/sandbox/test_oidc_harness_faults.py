"""What goes wrong on request: what the client sees, and whether the server had committed."""

import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from support.tiny_client import get, service_principal


def test_a_status_fault_answers_in_the_servers_place(oidc_server, client):
    token = client.login()["refresh_token"]
    oidc_server.fault("token", "status", status=429, headers={"Retry-After": "7"}, body={"error": "slow_down"}, times=2)
    for _ in range(2):
        answer = client.refresh(token)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert oidc_server.is_current(token)
    assert client.refresh(token).status_code == 200


@pytest.mark.parametrize("processed", [False, True])
@pytest.mark.parametrize("kind", ["drop", "reset", "truncated"])
def test_a_broken_connection_loses_the_answer(oidc_server, client, kind, processed):
    token = client.login()["refresh_token"]
    oidc_server.fault("token", kind, processed=processed)
    with pytest.raises(requests.RequestException):
        client.refresh(token)
    assert oidc_server.token_state(token) == ("consumed" if processed else "current")
    assert oidc_server.log("token")[-1]["status"] == (200 if processed else None)


@pytest.mark.parametrize("processed", [False, True])
@pytest.mark.parametrize("kind", ["html", "garbage", "empty"])
def test_an_answer_that_is_not_json(oidc_server, client, kind, processed):
    token = client.login()["refresh_token"]
    oidc_server.fault("token", kind, processed=processed)
    answer = client.refresh(token)
    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"."):
        answer.json()
    assert oidc_server.token_state(token) == ("consumed" if processed else "current")


@pytest.mark.parametrize("processed", [False, True])
def test_a_hanging_answer(oidc_server, client, processed):
    token = client.login()["refresh_token"]
    with oidc_server.fault("token", "hang", processed=processed) as fault:
        with pytest.raises(requests.Timeout):
            client.refresh(token, timeout=(20, 0.3))
        assert fault.hits() == 1
    assert oidc_server.token_state(token) == ("consumed" if processed else "current")


def test_a_delay(oidc_server, client):
    token = client.login()["refresh_token"]
    oidc_server.fault("token", "delay", seconds=0.4)
    began = time.monotonic()
    assert client.refresh(token).status_code == 200
    assert time.monotonic() - began >= 0.4


def test_an_oversized_answer(oidc_server, client):
    oidc_server.fault("token", "oversized", size=3_000_000)
    assert len(client.refresh("whatever").content) > 3_000_000


def test_a_dripping_answer_never_ends_in_time(oidc_server, client):
    oidc_server.fault("config", "drip", seconds=0.05, processed=True)
    with (
        pytest.raises(requests.Timeout),
        requests.get(
            f"{oidc_server.host}/.well-known/databricks-config",
            verify=oidc_server.ca_file,
            timeout=0.5,
            stream=True,
        ) as answer,
    ):
        began = time.monotonic()
        for _ in answer.iter_content(1):
            if time.monotonic() - began > 0.5:
                raise requests.Timeout


def test_an_edited_answer_keeps_the_rest(oidc_server, client):
    oidc_server.fault("token", "edit", set={"expires_in": "soon"}, remove=["refresh_token"])
    tokens = client.login()
    assert tokens["expires_in"] == "soon"
    assert "refresh_token" not in tokens
    assert tokens["access_token"]


def test_a_fault_can_choose_its_requests(oidc_server, client):
    oidc_server.fault("token", "status", grant_type="refresh_token", skip=1, status=500)
    token = client.refresh(client.login()["refresh_token"]).json()["refresh_token"]
    assert client.refresh(token).status_code == 500


def test_a_discovery_fault_leaves_the_token_endpoint_alone(oidc_server):
    with oidc_server.fault("discovery", "html", times=None):
        assert "<html>" in get(oidc_server, "/oidc/.well-known/oauth-authorization-server").text
        answer = service_principal(oidc_server).post(grant_type="client_credentials")
        assert answer.status_code == 200
    assert get(oidc_server, "/oidc/.well-known/oauth-authorization-server").json()["issuer"]


def test_an_offline_host_refuses_connections_and_comes_back(oidc_server, client):
    token = client.login()["refresh_token"]
    with oidc_server.offline(), pytest.raises(requests.ConnectionError):
        client.refresh(token)
    assert client.refresh(token).status_code == 200


# Holds


@pytest.mark.parametrize(("when", "state"), [("before", "current"), ("after", "consumed")])
def test_a_held_request_waits_at_its_step(oidc_server, client, when, state):
    token = client.login()["refresh_token"]
    with ThreadPoolExecutor(1) as pool, oidc_server.hold("token", when=when) as hold:
        answer = pool.submit(client.refresh, token)
        [entry] = hold.wait()
        assert entry["grant_type"] == "refresh_token"
        assert oidc_server.token_state(token) == state
        assert not answer.done()
        hold.release()
        assert oidc_server.is_current(answer.result().json()["refresh_token"])


@pytest.mark.parametrize(("when", "state"), [("before", "current"), ("after", "consumed")])
def test_a_held_request_can_be_dropped(oidc_server, client, when, state):
    token = client.login()["refresh_token"]
    with ThreadPoolExecutor(1) as pool, oidc_server.hold("token", when=when) as hold:
        answer = pool.submit(client.refresh, token)
        hold.wait()
        hold.release(drop=True)
        with pytest.raises(requests.ConnectionError):
            answer.result()
    assert oidc_server.token_state(token) == state


def test_the_server_sees_a_request_through_whose_client_was_killed(oidc_server, client):
    token = client.login()["refresh_token"]
    program = (
        "import json, requests, sys; a = json.loads(sys.stdin.read())\n"
        "requests.post(a['url'], data=a['data'], verify=a['ca'], timeout=30)"
    )
    with (
        oidc_server.hold("token") as hold,
        subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as child,
    ):
        child.stdin.write(
            json.dumps(
                {
                    "url": f"{oidc_server.issuer}/v1/token",
                    "ca": oidc_server.ca_file,
                    "data": {
                        "grant_type": "refresh_token",
                        "refresh_token": token,
                        "client_id": client.client_id,
                    },
                }
            ).encode()
        )
        child.stdin.close()
        hold.wait()
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert oidc_server.is_current(token)
        hold.release()
        oidc_server.settle()
    assert oidc_server.token_state(token) == "consumed"
    assert oidc_server.log("token")[-1]["status"] == 200


def test_held_requests_are_released_one_by_one(oidc_server):
    client = service_principal(oidc_server)
    with ThreadPoolExecutor(3) as pool, oidc_server.hold("token") as hold:
        answers = [pool.submit(client.post, grant_type="client_credentials") for _ in range(3)]
        hold.wait(3)
        assert hold.release(1) == 1
        assert len(hold.arrived()) == 3
        hold.release()
        assert {answer.result().status_code for answer in answers} == {200}


def test_waiting_for_a_request_that_never_comes_says_so(oidc_server):
    with oidc_server.hold("token") as hold, pytest.raises(TimeoutError, match="0 of 1"):
        hold.wait(timeout=0.05)
