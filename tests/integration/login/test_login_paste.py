"""Paste mode: the browser is anywhere, and the person brings the answer back by hand."""

import os
import re
import select
import subprocess
import sys
import time

import pytest

from lakekey.cache.opening import open_cache
from support.program import environment, lakekey
from support.servers.oidc_server import OidcServer


@pytest.fixture
def settings(oidc_server, tmp_path):
    return environment(oidc_server, tmp_path / "cache", LAKEKEY_INTERACTIVE="paste", BROWSER="false")


def forms(answer):
    code, state, iss = (answer.parameters[name] for name in ("code", "state", "iss"))
    return {
        "the whole address": answer.redirect,
        "the address in quotes": f"  '{answer.redirect}'  ",
        "the query": f"code={code}&state={state}&iss={iss}",
        "the query with its mark": f"?code={code}&state={state}&iss={iss}",
    }


@pytest.mark.parametrize(
    "form",
    [
        pytest.param("the whole address", marks=pytest.mark.on_windows),
        "the address in quotes",
        "the query",
        "the query with its mark",
    ],
)
def test_the_redirected_address_is_pasted_back(oidc_server, settings, form):
    with lakekey("login", environment=settings) as program:
        answer = oidc_server.sign_in(program.url(), deliver=False)
        program.says("paste it here")
        program.send(forms(answer)[form])
        status, output, errors = program.ends()
    assert status == 0, errors
    assert "as ada@example.com" in output
    assert answer.parameters["code"] not in output + errors


def test_code_and_state_alone_will_do_where_the_server_names_no_issuer(oidc_server, settings):
    oidc_server.fault("discovery", "edit", times=None, set={"authorization_response_iss_parameter_supported": False})
    with lakekey("login", environment=settings) as program:
        answer = oidc_server.sign_in(program.url(), deliver=False)
        program.send(f"{answer.parameters['code']} {answer.parameters['state']}")
        assert program.ends()[0] == 0


def test_input_that_ends_without_a_line_break_counts(oidc_server, settings):
    with lakekey("login", environment=settings) as program:
        answer = oidc_server.sign_in(program.url(), deliver=False)
        program.process.stdin.write(answer.redirect)
        program.process.stdin.close()
        program.process.stdin = None
        assert program.ends()[0] == 0


def test_invalid_answer_is_reported_and_asked_for_again(oidc_server, settings):
    with lakekey("login", environment=settings) as program:
        url = program.url()
        answer = oidc_server.sign_in(url, deliver=False)
        state = answer.parameters["state"]
        for typed, complaint in (
            ("", None),
            ("hello", "there is no code in it"),
            (url, "not the address of the last page"),
            ("https://evil.example.com/?code=c&state=" + state, "not the address of the last page"),
            ("http://[localhost:8020/?code=c&state=" + state, "not the address of the last page"),
            (answer.redirect.replace(state, "of-another-sign-in"), "belongs to another sign-in"),
            (f"{answer.redirect}&state={state}", "there is no code in it"),
        ):
            program.send(typed)
            if complaint is not None:
                program.says(complaint)
        program.send(answer.redirect)
        status, _, errors = program.ends()
    assert status == 0, errors
    assert answer.parameters["code"] not in errors


def test_an_answer_of_another_server_is_refused_here_too(oidc_server, settings):
    with lakekey("login", environment=settings) as program:
        answer = oidc_server.sign_in(program.url(), deliver=False)
        program.send(re.sub(r"iss=[^&]*", "iss=https%3A%2F%2Fevil.example.com", answer.redirect))
        status, _, errors = program.ends()
    assert status == 1
    assert "another authorization server" in errors
    assert oidc_server.counters()["requests.token"] == 0


def test_a_refusal_can_be_pasted_too(oidc_server, settings):
    with lakekey("login", environment=settings) as program:
        program.send(oidc_server.sign_in(program.url(), decline=True, deliver=False).redirect)
        status, _, errors = program.ends()
    assert status == 1
    assert "the sign-in was refused (access_denied" in errors


def test_input_that_ends_ends_the_login(settings):
    with lakekey("login", environment=settings) as program:
        program.url()
        program.process.stdin.close()
        program.process.stdin = None
        status, _, errors = program.ends()
    assert status == 1
    assert "the input ended before the answer was pasted" in errors


def test_nothing_listens_in_paste_mode(settings):
    with lakekey("login", environment=settings) as program:
        program.url()
        program.says("paste it here")
        own = {
            os.readlink(f"/proc/{program.process.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{program.process.pid}/fd")
        }
        listening = set()
        for table in ("tcp", "tcp6"):
            with open(f"/proc/net/{table}", encoding="ascii") as file:
                listening |= {f"socket:[{row.split()[9]}]" for row in file.readlines()[1:] if row.split()[3] == "0A"}
        assert not own & listening


class Terminal:
    """A program at a pseudo-terminal, as over SSH."""

    def __init__(self, environment):
        import pty

        self.master, slave = pty.openpty()
        self.text = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from lakekey.cli import run; run()", "login"],
            stdin=slave, stdout=slave, stderr=slave, env={**os.environ, **environment}, start_new_session=True,
        )  # fmt: skip
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)

    def shows(self, pattern, timeout=20):
        deadline = time.monotonic() + timeout
        while not (match := re.search(pattern, self.text)):
            assert select.select([self.master], [], [], max(0, deadline - time.monotonic()))[0], self.text
            try:
                chunk = os.read(self.master, 65536)
            except OSError:  # the other end is closed
                chunk = b""
            assert chunk, self.text
            self.text += chunk.decode()
        return match

    def types(self, text):
        os.write(self.master, text.encode() + b"\n")


def over_ssh(oidc_server, tmp_path):
    settings = environment(oidc_server, tmp_path / "cache", SSH_CONNECTION="10.0.0.1 50000 10.0.0.2 22")
    return {**settings, "LAKEKEY_INTERACTIVE": "auto", "BROWSER": ""}


def test_over_ssh_the_answer_can_be_pasted_although_a_listener_waits(oidc_server, tmp_path):
    with Terminal(over_ssh(oidc_server, tmp_path)) as terminal:
        url = terminal.shows(r"(https://\S+/authorize\S+)\r\n")[1]
        terminal.shows(r"paste\s+it\s+here")
        terminal.types(oidc_server.sign_in(url, deliver=False).redirect)
        terminal.shows("Signed in to .* as ada@example.com")
        assert terminal.process.wait(20) == 0


def test_where_no_browser_can_be_opened_the_answer_can_be_pasted(oidc_server, tmp_path):
    settings = {**over_ssh(oidc_server, tmp_path), "SSH_CONNECTION": ""}
    with Terminal(settings) as terminal:
        url = terminal.shows(r"(https://\S+/authorize\S+)\r\n")[1]
        terminal.types(oidc_server.sign_in(url, deliver=False).redirect)
        terminal.shows("Signed in to .* as ada@example.com")


def test_over_ssh_a_forwarded_port_brings_the_answer_as_well(oidc_server, tmp_path):
    with Terminal(over_ssh(oidc_server, tmp_path)) as terminal:
        assert oidc_server.sign_in(terminal.shows(r"(https://\S+/authorize\S+)\r\n")[1]).status == 200
        terminal.shows("Signed in to .* as ada@example.com")


def test_where_the_server_offers_the_device_grant_a_code_is_typed_elsewhere(tmp_path):
    with OidcServer(device_flow=True) as server:
        with Terminal(over_ssh(server, tmp_path)) as terminal:
            address, code = terminal.shows(
                r"open\s+(https://\S+)\s+in\s+any\s+browser\s+and\s+enter\s+the\s+code\s+(\S+)\r\n"
            ).groups()
            server.sign_in(f"{address}?user_code={code}", "grace@example.com")
            terminal.shows("Signed in to .* as grace@example.com")
        assert server.counters()["requests.authorize"] == 0
    assert len(open_cache({"LAKEKEY_CACHE_DIR": str(tmp_path / "cache"), "LAKEKEY_KEY_SOURCE": "file"}).list()) == 1
