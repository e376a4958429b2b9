"""Signing in through a browser on this machine, against a server that this project did not write."""

import json
import re
import signal
import socket
import time
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from lakekey.cache.opening import open_cache
from support.program import Program, free_port, is_free, lakekey
from support.tiny_client import TinyClient
from support.waiting import until


def entry_of(settings):
    cache = open_cache({**settings, "LAKEKEY_KEY_SOURCE": "file"})
    (name,) = cache.list()
    return cache.get(name)


def deliver(address):
    """A browser that is sent to an address of this machine."""
    with requests.Session() as browser:
        browser.trust_env = False
        return browser.get(address, timeout=20)


@pytest.mark.on_windows
def test_login_signs_in_and_says_who_and_where(oidc_server, settings):
    with lakekey("login", environment=settings) as program:
        page = oidc_server.sign_in(program.url()).body
        status, output, _ = program.ends()
    assert status == 0
    assert "as ada@example.com" in output
    assert settings["LAKEKEY_CACHE_DIR"] in output
    assert "ada@example.com" in page
    assert urlsplit(oidc_server.host).netloc in page
    assert entry_of(settings).identity == "ada@example.com"


def test_the_request_is_what_the_rfcs_ask_for(oidc_server, settings):
    with lakekey("login", "--user", "ada@example.com", environment=settings) as program:
        query = parse_qs(urlsplit(program.url()).query)
    assert query["response_type"] == ["code"]
    assert query["code_challenge_method"] == ["S256"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", query["code_challenge"][0])
    assert len(query["state"][0]) >= 43
    assert query["redirect_uri"] == [f"http://localhost:{settings['DATABRICKS_OAUTH_CALLBACK_PORT']}"]
    assert query["login_hint"] == ["ada@example.com"]


def test_strays_at_the_listener_do_not_disturb_the_login(oidc_server, settings):
    port = int(settings["DATABRICKS_OAUTH_CALLBACK_PORT"])
    home = f"http://localhost:{port}"
    with lakekey("login", environment=settings) as program:
        url = program.url()
        state = parse_qs(urlsplit(url).query)["state"][0]
        silent = socket.create_connection(("127.0.0.1", port), timeout=20)
        strays = ["/favicon.ico", "/?code=c&state=wrong", f"/?code=c&state={state}&state={state}", f"/x?state={state}"]
        assert [deliver(home + stray).status_code for stray in strays] == [404] * 4
        assert requests.post(home, data={"code": "c", "state": state}, timeout=20).status_code == 404
        assert oidc_server.sign_in(url).status == 200
        assert program.ends()[0] == 0
        silent.close()


@pytest.mark.on_windows
def test_a_refusal_is_shown_in_the_page_and_in_the_terminal(oidc_server, settings):
    with lakekey("login", environment=settings) as program:
        page = oidc_server.sign_in(program.url(), decline=True)
        status, _, errors = program.ends()
    assert status == 1
    assert "the sign-in was refused (access_denied" in errors
    assert "You are not signed in" in page.body
    assert "the sign-in was refused (access_denied" in page.body


@pytest.mark.parametrize("issuer", ["https://evil.example.com/oidc", None])
def test_an_answer_of_another_server_is_not_exchanged(oidc_server, settings, issuer):
    with lakekey("login", environment=settings) as program:
        answer = oidc_server.sign_in(program.url(), deliver=False)
        assert answer.parameters["iss"] == oidc_server.issuer
        query = f"code={answer.parameters['code']}&state={answer.parameters['state']}"
        page = deliver(f"{answer.redirect.partition('?')[0]}?{query}" + (f"&iss={issuer}" if issuer else ""))
        status, _, errors = program.ends()
    assert status == 1
    assert "another authorization server" in errors
    assert "You are not signed in" in page.text
    assert oidc_server.counters()["requests.token"] == 0


def test_id_token_of_another_person_is_refused_and_given_back(oidc_server, settings):
    forged = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2V2aWwiLCJhdWQiOiJ4IiwiZXhwIjo5OTk5OTk5OTk5fQ."
    oidc_server.fault("token", "edit", set={"id_token": forged})
    with lakekey("login", environment=settings) as program:
        oidc_server.sign_in(program.url())
        status, _, errors = program.ends()
    assert status == 1
    assert "ID token was issued for another client" in errors
    assert oidc_server.current_refresh_tokens() == []


def test_openid_scopes_bind_the_id_token_to_the_sign_in(oidc_server, settings):
    with lakekey("login", "--scopes", "all-apis,openid,email", environment=settings) as program:
        url = program.url()
        query = parse_qs(urlsplit(url).query)
        assert query["scope"] == ["all-apis email offline_access openid"]
        assert len(query["nonce"][0]) >= 43
        oidc_server.sign_in(url)
        assert program.ends()[0] == 0
    with lakekey("login", "--scopes", "all-apis,openid,email", environment=settings) as program:
        url = program.url()
        changed = url.replace(parse_qs(urlsplit(url).query)["nonce"][0], "the-nonce-of-another")
        oidc_server.sign_in(changed)
        status, _, errors = program.ends()
    assert status == 1
    assert "another sign-in" in errors


def test_wait_for_a_sign_in_ends_at_the_time_limit(settings):
    port = int(settings["DATABRICKS_OAUTH_CALLBACK_PORT"])
    with lakekey("login", environment={**settings, "LAKEKEY_LOGIN_TIMEOUT": "0.3"}) as program:
        status, _, errors = program.ends()
    assert status == 1
    assert "the sign-in was not finished within 0.3 s" in errors
    assert "lakekey login" in errors
    assert is_free(port)


def test_a_server_that_does_not_answer_does_not_outlast_the_time_limit(oidc_server, settings):
    with (
        oidc_server.fault("discovery", "hang", times=None),
        lakekey("login", environment={**settings, "LAKEKEY_LOGIN_TIMEOUT": "0.3"}) as program,
    ):
        began = time.monotonic()
        status, _, errors = program.ends()
        assert time.monotonic() - began < 10
    assert status == 1
    assert "within 0.3 s" in errors


def test_ctrl_c_while_the_person_is_away_ends_it_and_frees_the_port(settings):
    port = int(settings["DATABRICKS_OAUTH_CALLBACK_PORT"])
    with lakekey("login", environment=settings) as program:
        program.url()
        program.process.send_signal(signal.SIGINT)
        status, _, errors = program.ends(10)
    assert (status, errors.rstrip().rpartition("\n")[2]) == (130, "lakekey: interrupted")
    assert is_free(port)


def test_ctrl_c_while_the_server_is_looked_for_ends_it_at_once(oidc_server, settings):
    with oidc_server.hold("discovery") as hold, lakekey("login", environment=settings) as program:
        hold.wait()
        program.process.send_signal(signal.SIGINT)
        assert program.ends(10)[0] == 130


def test_ctrl_c_after_the_code_was_sent_keeps_the_session(oidc_server, settings):
    with oidc_server.hold("token") as hold, lakekey("login", environment=settings) as program:
        answer = oidc_server.sign_in(program.url(), deliver=False)
        with socket.create_connection(("127.0.0.1", urlsplit(answer.redirect).port), timeout=20) as tab:
            target = "/" + urlsplit(answer.redirect)._replace(scheme="", netloc="").geturl().lstrip("/")
            tab.sendall(f"GET {target} HTTP/1.1\r\nHost: {urlsplit(answer.redirect).netloc}\r\n\r\n".encode())
            hold.wait()
            program.process.send_signal(signal.SIGINT)
            hold.release()
            assert program.ends()[0] == 130
    assert oidc_server.is_current(entry_of(settings).refresh_token)


def test_a_pinned_port_that_is_taken_is_reported_before_a_browser_opens(settings):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = str(other.getsockname()[1])
        with lakekey("login", environment={**settings, "DATABRICKS_OAUTH_CALLBACK_PORT": taken}) as program:
            status, _, errors = program.ends()
    assert status == 1
    assert f"no port is free for the sign-in's answer (tried {taken})" in errors
    assert "/authorize?" not in errors


def test_taken_ports_of_a_profile_are_walked_past(oidc_server, settings, tmp_path):
    free = free_port()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        file = tmp_path / "databrickscfg"
        file.write_text(f"[p]\nhost = {oidc_server.host}\nredirect_ports = {other.getsockname()[1]}, {free}\n")
        variables = {**settings, "DATABRICKS_CONFIG_FILE": str(file), "DATABRICKS_OAUTH_CALLBACK_PORT": ""}
        with lakekey("login", "p", environment=variables) as program:
            assert parse_qs(urlsplit(program.url()).query)["redirect_uri"] == [f"http://localhost:{free}"]


def test_a_code_that_the_server_does_not_take_ends_in_words(oidc_server, settings):
    oidc_server.set_ttl(code=1)
    with lakekey("login", environment=settings) as program:
        answer = oidc_server.sign_in(program.url(), deliver=False)
        oidc_server.set_clock(120)
        page = deliver(answer.redirect)
        status, _, errors = program.ends()
    assert status == 1
    assert "did not accept the sign-in's code" in errors
    assert answer.parameters["code"] not in errors + page.text


def test_a_token_endpoint_that_is_briefly_busy_does_not_cost_the_sign_in(oidc_server, settings):
    oidc_server.fault("token", "status", status=503, body="busy", headers={"Retry-After": "0"})
    with lakekey("login", environment=settings) as program:
        oidc_server.sign_in(program.url())
        assert program.ends()[0] == 0


def test_a_revoked_family_ends_in_one_clean_new_login(oidc_server, settings):
    with lakekey("login", environment=settings) as program:
        oidc_server.sign_in(program.url())
        assert program.ends()[0] == 0
    stolen = entry_of(settings).refresh_token
    assert (
        TinyClient(oidc_server).refresh(stolen).status_code == 200
    )  # the thief is first; ours is the reuse that gives it away
    oidc_server.reset()
    code = (
        "import lakekey, os; p = lakekey.provider(); t = p.token().access_token\n"
        "p.invalidate(t); print(p.identity(), p.token().access_token != t)"
    )
    with Program(code, environment=settings) as program:
        oidc_server.sign_in(program.url())
        status, output, errors = program.ends()
    assert (status, output.strip()) == (0, "ada@example.com True"), errors
    counters = oidc_server.counters()
    assert counters["requests.token.refresh_token"] == 1
    assert counters["requests.authorize"] == 1
    assert len(oidc_server.current_refresh_tokens()) == 1


def test_login_prints_json(oidc_server, settings):
    with lakekey("login", "--json", environment=settings) as program:
        oidc_server.sign_in(program.url())
        status, output, _ = program.ends()
    facts = json.loads(output)
    assert status == 0
    assert (facts["identity"], facts["auth_type"], facts["key_source"]) == (
        "ada@example.com",
        "external-browser",
        "file",
    )


def test_the_browser_is_opened_by_the_command_that_browser_names_without_our_secrets(oidc_server, settings, tmp_path):
    seen = tmp_path / "seen"
    script = tmp_path / "browser"
    script.write_text(f'#!/bin/sh\nenv > {seen}.part; echo "$@" >> {seen}.part; mv {seen}.part {seen}\n')
    script.chmod(0o700)
    secrets = {"DATABRICKS_TOKEN": "dapi-secret-1", "LAKEKEY_PASSPHRASE": "secret-2"}
    variables = {**settings, **secrets, "BROWSER": f"{script} --new %s &"}
    with lakekey("login", environment=variables) as program:
        program.says("A browser opens")
        url = program.url()
        oidc_server.sign_in(url)
        assert program.ends()[0] == 0
    until(seen.exists)
    text = seen.read_text()
    assert f"--new {url}" in text
    assert not [secret for secret in secrets.values() if secret in text]
