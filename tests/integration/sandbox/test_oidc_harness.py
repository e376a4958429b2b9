"""The independent OAuth server speaks the protocol as the other tests rely on it to do."""

import hashlib
import shlex
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from support.tiny_client import TinyClient, claims, get, service_principal, whoami
from support.waiting import until

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


def test_of_clients_that_refresh_at_the_same_time_only_one_is_served(oidc_server, client):
    token = client.login()["refresh_token"]
    with ThreadPoolExecutor(8) as pool, oidc_server.hold("token") as hold:
        answers = [pool.submit(client.refresh, token) for _ in range(8)]
        hold.wait(8)
        hold.release()
    assert sorted(answer.result().status_code for answer in answers) == [200] + [400] * 7
    assert oidc_server.current_refresh_tokens() == []


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
    until(lambda: whoami(oidc_server, token).status_code != 200, pause=0.1)


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
    yesterday = pytest.approx(time.time() - 86_400, abs=60)
    assert claims(answer.json()["access_token"])["iat"] == yesterday
    assert parsedate_to_datetime(answer.headers["Date"]).timestamp() == yesterday


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


def test_foreign_token_for_another_audience_is_refused(oidc_server):
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
