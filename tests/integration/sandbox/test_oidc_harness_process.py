"""The independent OAuth server as a process: private, quick under load, and never left behind."""

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import requests

from support.servers.oidc_server import OidcServer
from support.tiny_client import SCOPES, TinyClient, get, service_principal
from support.waiting import until


def test_the_log_holds_no_secret(oidc_server, client):
    tokens = client.login()
    answer = client.refresh(tokens["refresh_token"]).json()
    service_principal(oidc_server).post(grant_type="client_credentials")
    written = json.dumps(oidc_server.log()) + oidc_server.stderr()
    secrets_used = [
        *(tokens[name] for name in ("access_token", "refresh_token", "id_token")),
        answer["refresh_token"], client.verifier, client.state,
        oidc_server.service_principal.client_secret,
    ]  # fmt: skip
    assert not [secret for secret in secrets_used if secret in written]


def test_the_control_plane_is_closed_to_others(oidc_server):
    address = urlsplit(oidc_server.url)
    for path in ("/log", "/x/log", f"{address.path}/log/more", f"{address.path}/constructor"):
        answer = requests.post(f"http://{address.netloc}{path}", json={}, timeout=10)
        assert answer.status_code == 404


def test_only_the_owner_reads_the_private_key(oidc_server):
    directory = os.path.dirname(oidc_server.ca_file)
    assert os.stat(directory).st_mode & 0o777 == 0o700
    assert os.stat(os.path.join(directory, "key.pem")).st_mode & 0o777 == 0o600


def test_64_clients_connect_at_once(oidc_server):
    client, barrier = service_principal(oidc_server), threading.Barrier(64)

    def one():
        barrier.wait()
        return client.post(grant_type="client_credentials").status_code

    with ThreadPoolExecutor(64) as pool:
        answers = [future.result() for future in [pool.submit(one) for _ in range(64)]]
    assert answers == [200] * 64


def test_the_server_ends_with_its_parent(tmp_path):
    program = (
        "import os, sys; from support.servers.oidc_server import OidcServer\n"
        "server = OidcServer().start(); print(server._process.pid, server._directory, flush=True)\n"
        "os.fork() == 0 and __import__('time').sleep(60)\n"  # keeps the server's input open
        "sys.stdin.read()"
    )
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": root, "TMPDIR": str(tmp_path)},
        start_new_session=True,
    ) as parent:
        pid = int(parent.stdout.readline().split()[0])
        parent.kill()
        try:
            until(lambda: not os.path.exists(f"/proc/{pid}") or _state(pid) == "Z", pause=0.05)
        finally:
            os.killpg(parent.pid, signal.SIGKILL)


def _state(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(") ")[2][0]
    except FileNotFoundError:
        return "Z"


def test_an_account_console_and_the_device_grant_by_option():
    with OidcServer(account_id="a1b2", device_flow=True) as server:
        assert server.issuer == f"{server.host}/oidc/accounts/a1b2"
        config = get(server, "/.well-known/databricks-config").json()
        assert config["oidc_endpoint"].format(account_id=config["account_id"]) == server.issuer
        client = TinyClient(server)
        device = requests.post(
            f"{server.issuer}/v1/device_authorization",
            data={"client_id": client.client_id, "scope": SCOPES},
            verify=server.ca_file,
            timeout=20,
        ).json()
        poll = {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": device["device_code"],
        }
        assert client.post(**poll).json()["error"] == "authorization_pending"
        server.sign_in(device["verification_uri_complete"], "grace@example.com")
        assert client.post(**poll).json()["refresh_token"]
