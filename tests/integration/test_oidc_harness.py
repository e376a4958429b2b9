"""The independent OAuth server does what the other tests rely on it to do."""

import base64
import hashlib
import json
import os
import secrets
import shlex
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from support.oidc_server import OidcServer

SCOPES = "all-apis offline_access openid email profile"
REDIRECT = "http://localhost:8020"


class TinyClient:
    """OAuth by hand: what the server says, with no library in between."""

    def __init__(self, server: OidcServer, client_id="databricks-cli", redirect=REDIRECT, auth=None):
        self.server, self.client_id, self.redirect, self.auth = server, client_id, redirect, auth
        self.verifier = secrets.token_urlsafe(48)
        self.state = secrets.token_urlsafe(16)

    def authorize_url(self, scope=SCOPES, **more):
        digest = hashlib.sha256(self.verifier.encode()).digest()
        query = {
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": self.redirect,
            "scope": scope,
            "state": self.state,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            **more,
        }
        query = {name: value for name, value in query.items() if value is not None}
        return f"{self.server.issuer}/v1/authorize?{urlencode(query)}"

    def post(self, timeout=20, **fields):
        if self.auth is None:
            fields.setdefault("client_id", self.client_id)
        with requests.Session() as session:
            session.trust_env = False
            return session.post(
                f"{self.server.issuer}/v1/token",
                data=fields,
                auth=self.auth,
                verify=self.server.ca_file,
                timeout=timeout,
            )

    def exchange(self, code, **more):
        return self.post(
            **{
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self.redirect,
                "code_verifier": self.verifier,
                **more,
            }
        )

    def refresh(self, refresh_token, **more):
        return self.post(grant_type="refresh_token", refresh_token=refresh_token, **more)

    def login(self, user="ada@example.com", scope=SCOPES):
        done = self.server.sign_in(self.authorize_url(scope), user, deliver=False)
        answer = self.exchange(done.parameters["code"])
        assert answer.status_code == 200, answer.text
        return answer.json()


def get(server, path, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with requests.Session() as session:
        session.trust_env = False
        return session.get(server.host + path, headers=headers, verify=server.ca_file, timeout=20)


def whoami(server, token):
    return get(server, "/api/2.0/preview/scim/v2/Me", token)


def claims(jwt):
    part = jwt.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def service_principal(server, secret=None):
    principal = server.service_principal
    auth = (principal.client_id, secret or principal.client_secret)
    return TinyClient(server, principal.client_id, auth=auth)


@pytest.fixture
def client(oidc_server):
    return TinyClient(oidc_server)


# Discovery and sign-in


def test_both_discovery_documents_lead_to_the_token_endpoint(oidc_server):
    config = get(oidc_server, "/.well-known/databricks-config").json()
    assert config["oidc_endpoint"] == f"{oidc_server.host}/oidc"
    for name in ("oauth-authorization-server", "openid-configuration"):
        metadata = get(oidc_server, f"/oidc/.well-known/{name}").json()
        assert metadata["issuer"] == oidc_server.issuer
        assert metadata["token_endpoint"] == f"{oidc_server.host}/oidc/v1/token"
        assert metadata["authorization_endpoint"] == f"{oidc_server.host}/oidc/v1/authorize"
        assert metadata["code_challenge_methods_supported"] == ["S256"]
        assert metadata["authorization_response_iss_parameter_supported"] is True
        assert "device_authorization_endpoint" not in metadata


def test_a_person_signs_in_with_code_and_pkce(oidc_server, client):
    done = oidc_server.sign_in(client.authorize_url(), deliver=False)
    assert done.parameters["state"] == client.state
    assert done.parameters["iss"] == oidc_server.issuer
    tokens = client.exchange(done.parameters["code"]).json()
    access, identity = claims(tokens["access_token"]), claims(tokens["id_token"])
    assert access["iss"] == oidc_server.issuer
    assert access["sub"] == identity["email"] == identity["preferred_username"] == "ada@example.com"
    assert access["scope"] == tokens["scope"] == "all-apis"
    assert tokens["expires_in"] == 3600
    assert oidc_server.is_current(tokens["refresh_token"])


def test_a_code_serves_once_and_only_with_its_verifier(oidc_server, client):
    code = oidc_server.sign_in(client.authorize_url(), deliver=False).parameters["code"]
    assert client.exchange(code, code_verifier="x" * 43).json()["error"] == "invalid_grant"
    tokens = client.exchange(code).json()
    assert client.exchange(code).json()["error"] == "invalid_grant"
    assert not oidc_server.is_current(tokens["refresh_token"])  # RFC 6749 section 4.1.2


@pytest.mark.parametrize("change", [{"code_challenge": None}, {"code_challenge_method": "plain"}])
def test_s256_is_required(oidc_server, client, change):
    done = oidc_server.sign_in(client.authorize_url(**change), deliver=False)
    assert done.parameters["error"] == "invalid_request"


def test_without_offline_access_there_is_no_refresh_token(client):
    assert "refresh_token" not in client.login(scope="sql")


@pytest.mark.parametrize("redirect", ["http://localhost:51234", "http://127.0.0.1:8039"])
def test_the_native_client_may_use_any_loopback_port(oidc_server, redirect):
    client = TinyClient(oidc_server, redirect=redirect)
    assert client.login()["access_token"]


def test_an_unregistered_redirect_is_refused_on_the_page(oidc_server):
    client = TinyClient(oidc_server, redirect="https://elsewhere.example.com/")
    done = oidc_server.sign_in(client.authorize_url())
    assert (done.redirect, done.status) == (None, 400)
    assert "redirect_uri" in done.body


def test_a_custom_app_needs_its_own_redirect_and_secret(oidc_server):
    app = oidc_server.custom_app
    auth = (app.client_id, app.client_secret)
    client = TinyClient(oidc_server, app.client_id, app.redirect_uris[0], auth)
    assert client.login()["refresh_token"]
    client.redirect = "http://localhost:8031/callback"
    assert oidc_server.sign_in(client.authorize_url()).redirect is None


def test_a_client_is_added_while_the_server_runs(oidc_server):
    oidc_server.add_client(
        client_id="late", application_type="native", token_endpoint_auth_method="none",
        redirect_uris=["http://127.0.0.1:1/cb"], scope="sql offline_access",
    )  # fmt: skip
    late = TinyClient(oidc_server, "late", "http://127.0.0.1:7777/cb")
    assert late.login(scope="sql offline_access")["scope"] == "sql"
    done = oidc_server.sign_in(late.authorize_url("all-apis"), deliver=False)
    assert done.parameters["error"] == "invalid_scope"


def test_a_person_who_declines_sends_access_denied(oidc_server, client):
    done = oidc_server.sign_in(client.authorize_url(), decline=True, deliver=False)
    assert done.parameters["error"] == "access_denied"
    assert done.parameters["iss"] == oidc_server.issuer


def test_a_child_process_signs_in_through_the_browser_variable(oidc_server, tmp_path):
    seen = []

    class Callback(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(parse_qs(urlsplit(self.path).query))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"signed in")

        def log_message(self, *arguments):
            pass

    tabs = tmp_path / "tabs"
    with HTTPServer(("127.0.0.1", 0), Callback) as listener:
        listener.timeout = 20
        client = TinyClient(oidc_server, redirect=f"http://127.0.0.1:{listener.server_port}")
        command = shlex.split(oidc_server.browser("grace@example.com", tabs=tabs).removesuffix(" &"))
        command[command.index("%s")] = client.authorize_url()
        with subprocess.Popen(command) as browser:
            listener.handle_request()
            assert browser.wait(20) == 0
    tokens = client.exchange(seen[0]["code"][0]).json()
    assert claims(tokens["access_token"])["sub"] == "grace@example.com"
    assert tabs.read_text() == "grace@example.com\n"


# Refresh


def test_a_refresh_rotates_the_refresh_token(oidc_server, client):
    first = client.login()["refresh_token"]
    second = client.refresh(first).json()["refresh_token"]
    assert oidc_server.token_state(first) == "consumed"
    assert oidc_server.is_current(second)
    assert oidc_server.current_refresh_tokens("ada@example.com") == [hashlib.sha256(second.encode()).hexdigest()]


def test_reuse_of_a_spent_refresh_token_revokes_the_family(oidc_server, client):
    first = client.login()["refresh_token"]
    second = client.refresh(first).json()
    reuse = client.refresh(first)
    assert (reuse.status_code, reuse.json()["error"]) == (400, "invalid_grant")
    assert client.refresh(second["refresh_token"]).json()["error"] == "invalid_grant"
    assert oidc_server.token_state(second["refresh_token"]) == "revoked"
    assert whoami(oidc_server, second["access_token"]).status_code == 401
    assert oidc_server.counters()["grant.revoked"] == 1


def test_in_reusable_mode_the_refresh_token_stays(oidc_server, client):
    oidc_server.set_rotation(False)
    token = client.login()["refresh_token"]
    assert [client.refresh(token).json()["refresh_token"] for _ in range(3)] == [token] * 3
    assert oidc_server.is_current(token)


def test_lifetimes_change_while_the_server_runs(oidc_server, client):
    oidc_server.set_ttl(access=2, refresh=60)
    tokens = client.login()
    assert tokens["expires_in"] == 2
    assert whoami(oidc_server, tokens["access_token"]).status_code == 200
    oidc_server.set_clock(+3)
    assert "expired" in whoami(oidc_server, tokens["access_token"]).json()["message"]
    oidc_server.set_clock(+61)
    assert oidc_server.token_state(tokens["refresh_token"]) == "expired"
    assert client.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_a_short_access_token_really_expires(oidc_server, client):
    oidc_server.set_ttl(access=1)
    token = client.login()["access_token"]
    deadline = time.monotonic() + 5
    while whoami(oidc_server, token).status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_an_absolute_session_lifetime_is_not_extended_by_refreshing(oidc_server, client):
    oidc_server.set_ttl(session=100)
    token = client.refresh(client.login()["refresh_token"]).json()["refresh_token"]
    oidc_server.set_clock(+60)
    token = client.refresh(token).json()["refresh_token"]
    oidc_server.set_clock(+101)
    assert client.refresh(token).json()["error"] == "invalid_grant"


def test_the_clock_shows_in_the_date_header_and_the_tokens(oidc_server, client):
    oidc_server.set_clock(-86_400)
    answer = service_principal(oidc_server).post(grant_type="client_credentials", scope="all-apis")
    assert claims(answer.json()["access_token"])["iat"] == pytest.approx(time.time() - 86_400, abs=5)
    day = time.strftime("%d %b", time.gmtime(time.time() - 86_400))
    assert day in answer.headers["Date"]


def test_logout_revokes_at_the_server(oidc_server, client):
    token = client.login()["refresh_token"]
    requests.post(
        f"{oidc_server.issuer}/v1/revoke",
        data={"token": token, "client_id": client.client_id},
        verify=oidc_server.ca_file,
        timeout=20,
    ).raise_for_status()
    assert oidc_server.token_state(token) == "revoked"


def test_an_administrator_ends_one_persons_sessions(oidc_server, client):
    ada, grace = client.login("ada@example.com"), client.login("grace@example.com")
    assert oidc_server.revoke_all(user="ada@example.com") == 1
    assert not oidc_server.is_current(ada["refresh_token"])
    assert oidc_server.is_current(grace["refresh_token"])


# Service principals


def test_a_service_principal_signs_in_by_basic(oidc_server):
    answer = service_principal(oidc_server).post(grant_type="client_credentials", scope="all-apis")
    tokens = answer.json()
    assert "refresh_token" not in tokens
    me = whoami(oidc_server, tokens["access_token"]).json()
    assert me["userName"] == oidc_server.service_principal.client_id
    assert oidc_server.counters()["requests.token.client_credentials"] == 1


def test_a_wrong_secret_is_refused(oidc_server):
    answer = service_principal(oidc_server, "wrong").post(grant_type="client_credentials")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert oidc_server.log("token")[-1]["error"] == "invalid_client"


@pytest.mark.parametrize("workload", [True, False])
def test_a_foreign_token_is_exchanged(oidc_server, workload):
    fields = {"client_id": oidc_server.workload_client_id} if workload else {}
    client = TinyClient(oidc_server, auth=() if not workload else None)
    answer = client.post(
        grant_type="urn:ietf:params:oauth:grant-type:token-exchange",
        subject_token=oidc_server.subject_token("grace@example.com"),
        subject_token_type="urn:ietf:params:oauth:token-type:jwt",
        scope="all-apis",
        **fields,
    )
    assert whoami(oidc_server, answer.json()["access_token"]).json()["userName"] == "grace@example.com"


def test_a_foreign_token_for_somebody_else_is_refused(oidc_server):
    answer = TinyClient(oidc_server, oidc_server.workload_client_id).post(
        grant_type="urn:ietf:params:oauth:grant-type:token-exchange",
        subject_token=oidc_server.subject_token("grace@example.com", audience="another"),
        subject_token_type="urn:ietf:params:oauth:token-type:jwt",
    )
    assert answer.json()["error"] == "invalid_grant"


# The API


def test_scim_me_and_userinfo_say_who_it_is(oidc_server, client):
    token = client.login()["access_token"]
    me = whoami(oidc_server, token).json()
    assert (me["userName"], me["active"]) == ("ada@example.com", True)
    assert get(oidc_server, "/oidc/v1/userinfo", token).json()["email"] == "ada@example.com"


def test_the_api_refuses_bad_missing_and_narrow_tokens(oidc_server, client):
    token = client.login(scope="sql offline_access")["access_token"]
    assert get(oidc_server, "/api/2.0/preview/scim/v2/Me").status_code == 401
    assert whoami(oidc_server, token[:-6] + "AAAAAA").status_code == 401
    assert whoami(oidc_server, token).status_code == 403


def test_access_tokens_can_be_rejected_while_the_session_lives(oidc_server, client):
    tokens = client.login()
    oidc_server.reject_access_tokens()
    oidc_server.set_unauthorized_status(403)
    assert whoami(oidc_server, tokens["access_token"]).status_code == 403
    fresh = client.refresh(tokens["refresh_token"]).json()
    assert whoami(oidc_server, fresh["access_token"]).status_code == 200


# Faults: what the client sees, and whether the server had committed


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
def test_an_answer_that_is_no_json(oidc_server, client, kind, processed):
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
            client.refresh(token, timeout=0.3)
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
        deadline = time.monotonic() + 5
        while oidc_server.token_state(token) != "consumed":
            assert time.monotonic() < deadline
            time.sleep(0.01)


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


# The harness


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
        "import os, sys; from support.oidc_server import OidcServer\n"
        "server = OidcServer().start(); print(server._process.pid, server._directory, flush=True)\n"
        "os.fork() == 0 and __import__('time').sleep(60)\n"  # keeps the server's input open
        "sys.stdin.read()"
    )
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
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
            deadline = time.monotonic() + 10
            while os.path.exists(f"/proc/{pid}") and _state(pid) != "Z":
                assert time.monotonic() < deadline
                time.sleep(0.05)
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
