"""``lakekey.exe`` in a real console of Windows: what is typed there, what it shows, and what ends it."""

import json
import re
import socket
import subprocess
import time
from contextlib import contextmanager

import pytest
import requests

from support import wine

pytestmark = pytest.mark.timeout(600)

USUAL = [7]  # a console's colour: light grey on black
LONG = 5000  # letters; a line of a terminal on Linux ends at 4,095


class Console:
    """A console of Windows, and ``lakekey.exe`` in it."""

    def __init__(self, wires):
        self._wires = wires

    def _do(self, *words):
        self._wires.write(json.dumps(words) + "\n")
        self._wires.flush()
        return json.loads(self._wires.readline())

    def start(self, page, *, escapes):
        self._do("start", page, {"escapes": escapes})

    def type(self, text, *, held=False):
        self._do("type", text, {"held": held})

    def press_ctrl_c(self):
        self._do("press_ctrl_c")

    def until(self, words):
        """What it shows, as one line, once these words are in it."""
        return self._wait(lambda seen: words in "".join(seen["rows"]), words)["text"]

    def end(self):
        """What it shows in the end, as one line, with its colours and the exit status."""
        return self._wait(lambda seen: seen["status"] is not None, "its end")

    def _wait(self, arrived, what):
        ends = time.monotonic() + wine.PATIENCE
        while True:
            seen = self._do("look")
            seen["text"] = "".join(seen["rows"])
            if arrived(seen):
                return seen
            assert seen["status"] is None and time.monotonic() < ends, (what, seen)
            time.sleep(0.1)

    def kill(self):
        self._do("kill")


@contextmanager
def in_a_console(*arguments, page=437, escapes=False, **environ):
    """``lakekey.exe``, in a console of a code page that shows escapes or not."""
    command = ["support.programs.in_a_console", "", wine.windows(wine.LAKEKEY), *arguments]
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(wine.PATIENCE)
        command[1] = str(server.getsockname()[1])
        environ["PYTHONPATH"] = wine.windows(wine.ROOT / "tests")
        process = wine.start(wine.PYTHON, "-m", *command, **environ)
        try:
            connection, _ = server.accept()
            connection.settimeout(wine.PATIENCE)
            with connection, connection.makefile("rw") as wires:
                driven = Console(wires)
                driven.start(page, escapes=escapes)
                try:
                    yield driven
                finally:
                    driven.kill()
                    connection.shutdown(socket.SHUT_RDWR)
        finally:
            try:
                process.communicate(timeout=wine.PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


@pytest.mark.parametrize("escapes", [False, True], ids=["no colours", "colours"])
def test_console_shows_what_its_code_page_lacks_and_colours_where_it_can(tmp_path, escapes):
    place = wine.windows(tmp_path / "cache")
    with in_a_console("doctor", escapes=escapes, page=1252, LAKEKEY_CACHE_DIR=place) as console:
        end = console.end()
    assert "→ sign in first: lakekey login" in end["text"]
    # Wine shows an escape as it is, which Windows takes for the colour.
    assert re.findall(r"\x1b\[\d+m", end["text"])[:2] == (["\x1b[31m", "\x1b[0m"] if escapes else [])
    assert end["colours"] == USUAL


def test_long_address_is_pasted_into_a_console(oidc_server, machine):
    machine.server.reset()
    environ = machine.windows_environ(LAKEKEY_INTERACTIVE="paste", BROWSER="none", LAKEKEY_LOGIN_TIMEOUT="200")
    with in_a_console("login", **environ) as console:
        url = re.search(r"https://\S+/authorize\S+", console.until("s left, Ctrl-C ends it"))[0]
        answer = oidc_server.sign_in(url, deliver=False)
        # Escape takes the line back, and the marks of a paste do not.
        console.type(f"wrong\x1b\x1b[200~{answer.redirect}&mire\b\b\bore={'x' * LONG}\x1b[201~\r", held=True)
        end = console.end()
    assert end["status"] == 0, end["text"]
    assert f"&more={'x' * LONG}" in end["text"]
    assert "as ada@example.com" in end["text"]


def test_wait_for_the_browser_counts_down_until_ctrl_c(machine):
    machine.server.reset()
    environ = machine.windows_environ(LAKEKEY_INTERACTIVE="browser", BROWSER="none", LAKEKEY_LOGIN_TIMEOUT="200")
    with in_a_console("login", **environ) as console:
        first = int(re.search(r"(\d+) s left, Ctrl-C ends it", console.until("s left, Ctrl-C ends it"))[1])
        seen = console.until(f"{first - 2} s left, Ctrl-C ends it")
        assert seen.count("s left") == 1  # it is written over
        console.press_ctrl_c()
        end = console.end()
    assert end["status"] == 130, end["text"]
    assert "lakekey: interrupted" in end["text"]
    assert "s left" not in end["text"]


def test_question_is_answered_and_a_secret_typed_unseen_in_a_console(service, tmp_path):
    path, principal = tmp_path / "databrickscfg", service.server.service_principal
    environ = service.windows_environ(DATABRICKS_CONFIG_FILE=wine.windows(path), LAKEKEY_INTERACTIVE="auto")
    for name in ("DATABRICKS_HOST", "DATABRICKS_CLIENT_ID", "DATABRICKS_CLIENT_SECRET"):
        del environ[name]
    with in_a_console("login", **environ) as console:
        console.until("Workspace address, such as https://dbc-1234.cloud.databricks.com: ")
        console.type("a b\r" * 3)
        end = console.end()
    assert (end["status"], end["text"].count("host is not an address")) == (2, 3), end["text"]
    path.write_text(f"[job]\nhost = {service.server.host}\nclient_id = {principal.client_id}\n")
    with in_a_console("secret", "set", "job", "--check", **environ) as console:
        console.until("Client secret of ")
        console.type(f"{principal.client_secret}\r")
        end = console.end()
    assert (end["status"], "It works: " in end["text"]) == (0, True), end["text"]
    assert principal.client_secret not in end["text"]


def test_serve_hands_out_tokens_until_ctrl_c(service, tmp_path):
    file = tmp_path / "url"
    with in_a_console("serve", "--url-file", wine.windows(file), **service.windows_environ()) as console:
        said = console.until("_SERVICE_URL = Get-Content")
        assert "$env:DATABRICKS_AUTH_TYPE = 'metadata-service'" in said
        asked = {"X-Databricks-Metadata-Version": "1", "X-Databricks-Host": service.server.host}
        answer = requests.get(file.read_text().strip(), headers=asked, timeout=wine.PATIENCE)
        assert answer.json()["access_token"]
        console.press_ctrl_c()
        end = console.end()
    assert (end["status"], "Traceback" in end["text"]) == (0, False), end["text"]
    assert not file.exists()
    assert service.token_requests() == 1


def test_portal_is_served_until_ctrl_c(machine, tmp_path):
    path = tmp_path / "databrickscfg"
    path.write_text(f"[work]\nhost = {machine.server.host}\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://localhost:{port}"
    words = ("web", "work", "--single-user", "ada@example.com", "--url", url, "--port", str(port))
    with in_a_console(*words, **machine.windows_environ(DATABRICKS_CONFIG_FILE=wine.windows(path))) as console:
        console.until("Press CTRL+C to quit")
        page = requests.get(url, timeout=wine.PATIENCE)
        assert (page.status_code, "work" in page.text) == (200, True)
        console.press_ctrl_c()
        end = console.end()
    assert (end["status"], "Traceback" in end["text"]) == (0, False), end["text"]


def test_sandbox_runs_until_ctrl_c():
    with in_a_console("sandbox", **wine.environ()) as console:
        console.until("Ctrl-C")
        console.press_ctrl_c()
        end = console.end()
    assert (end["status"], "Traceback" in end["text"]) == (0, False), end["text"]
