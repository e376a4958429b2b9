"""The sign-in as a whole: how the person is asked, which answer ends it, and whose tokens are kept."""

import base64
import contextlib
import http.client
import io
import json
import logging
import re
import socket
import subprocess
import sys
import threading
import time
from types import MappingProxyType, SimpleNamespace
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from lakekey.configuration.target import resolve
from lakekey.errors import CredentialsRefused, LoginFailed, LoginTimeout, TokenEndpointError, WrongIdentity
from lakekey.login import paste, sign_in
from lakekey.login.sign_in import PersonSignIn
from lakekey.oauth.answer import Answer
from lakekey.oauth.client import Client
from lakekey.oauth.discovery import Metadata
from support.noted_commitment import NotedCommitment

HOST = "https://w.example.com"
PATIENCE = 60
METADATA = Metadata(HOST, f"{HOST}/authorize", f"{HOST}/token", f"{HOST}/revoke")
WITH_DEVICES = METADATA._replace(device_authorization_endpoint=f"{HOST}/device")
ELSEWHERE = {"SSH_CONNECTION": "192.0.2.1 5 192.0.2.2 22"}
CODE = {"device_code": "the-device-code", "user_code": "ABCD-EFGH", "verification_uri": f"{HOST}/enter"}


def jwt(**claims):
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.signed"


def answer(status=200, retry_after=None, **fields):
    return Answer(status, "application/json", json.dumps(fields).encode(), retry_after)


def tokens(name="ada@example.com", **fields):
    return answer(**{"access_token": jwt(sub=name), "token_type": "Bearer", "expires_in": 3600, **fields})


class Screen(io.StringIO):
    """A stream that shows nothing before it is flushed, as a notebook's does.

    Attributes:
        shown: What it has shown.
    """

    shown = ""

    def flush(self):
        super().flush()
        self.shown = self.getvalue()


class Network:
    """What the server answers, by the end of the address; the last answer is given again.

    Attributes:
        asked: What was asked for, in order: the end of the address, and the form.
        screen: The standard error stream of the sign-in that asks.
        commitment: Its commitment.
    """

    def __init__(self):
        self.asked = []
        self.screen = Screen()
        self.commitment = NotedCommitment()
        self.answers = {"token": [tokens(refresh_token="the-refresh-token")], "revoke": [answer()]}

    def check_files(self):
        self.asked.append(("files", None))

    def post_form(self, endpoint, form, **_):
        end = endpoint.rpartition("/")[2]
        self.asked.append((end, dict(form)))
        answers = self.answers[end]
        made = answers.pop(0) if len(answers) > 1 else answers[0]
        return made() if callable(made) else made

    def get(self, url, **_):
        self.asked.append((urlsplit(url).path.rpartition("/")[2], None))
        return Answer(400, "text/html", b"The client is invalid", None)

    def forms(self, end):
        return [form for each, form in self.asked if each == end]


class Cell(Screen):
    """What a notebook's kernel has in the place of a terminal: a line of it can be written over."""

    __module__ = "ipykernel.iostream"


class Typist:
    """A person who types these lines; ``None`` stands for a moment without one.

    Attributes:
        closed: Whether nothing more is read.
    """

    def __init__(self, *lines, idle=True):
        self._lines = list(lines)
        self.idle = idle
        self.closed = False

    def line(self, timeout, begins=None):
        assert timeout < 1
        line = self._lines.pop(0) if self._lines else None
        if line is EOFError:
            raise EOFError
        return line() if callable(line) else line

    def close(self):
        self.closed = True


@pytest.fixture
def network():
    return Network()


@pytest.fixture
def screen(network):
    return network.screen


@pytest.fixture
def cell(network, monkeypatch):
    kernel = SimpleNamespace(_allow_stdin=True)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=kernel)))
    network.screen = Cell()
    return network.screen


@pytest.fixture
def typist(monkeypatch):
    """Puts a person there who types, in the place of a terminal, a console or a notebook's cell."""

    def there(*lines, idle=True):
        person = Typist(*lines, idle=idle)
        monkeypatch.setattr(paste, "open_input", lambda notebook: person)
        return person

    return there


@pytest.fixture
def no_typist(monkeypatch):
    monkeypatch.setattr(paste, "open_input", lambda notebook: pytest.fail("it asks for a line"))


class Browser:
    """The person's browser, in the place of the process that would be started.

    Attributes:
        opened: The addresses that it was asked to open.
        starts: Whether it does.
        pages: What it was shown, once `visit` has been called.
    """

    def __init__(self):
        self.opened = []
        self.pages = []
        self.starts = True
        self._threads = []

    def start(self, arguments, **_):
        self.opened.append(arguments[1])
        self._threads.append(threading.Thread(target=self._visit, args=(arguments[1],), daemon=True))
        self._threads[-1].start()
        if not self.starts:
            raise FileNotFoundError(2, "no such program")
        return SimpleNamespace(wait=lambda: 0)

    def _visit(self, address):
        query = parse_qs(urlsplit(address).query)
        redirect = urlsplit(query["redirect_uri"][0])
        connection = http.client.HTTPConnection("127.0.0.1", redirect.port, timeout=PATIENCE)
        answered = urlencode({"code": "the-code", "state": query["state"][0]})
        connection.request("GET", f"{redirect.path or '/'}?{answered}", headers={"Host": redirect.netloc})
        self.pages.append(connection.getresponse().read().decode())
        connection.close()

    def shown(self):
        for thread in self._threads:
            thread.join(PATIENCE)
        return "".join(self.pages)


@pytest.fixture
def browser(monkeypatch):
    browser = Browser()
    monkeypatch.setattr(subprocess, "Popen", browser.start)
    return browser


@pytest.fixture
def no_browser(monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("it opens a browser"))


def sign(
    network,
    *,
    mode=None,
    environ=(),
    metadata=METADATA,
    scopes=("all-apis",),
    held=None,
    how=MappingProxyType({}),
    **settings,
):
    """Signs in; returns the tokens, and who it was."""
    settings = {"redirect_ports": "any", "login_timeout": PATIENCE, **settings}
    target = resolve(None, {}, host=HOST, **settings)
    client = Client(target.client_id, None, scopes, network, lambda: metadata)
    environ = {"BROWSER": "see %s", **dict(environ)}
    with contextlib.redirect_stderr(network.screen):
        return PersonSignIn(target, client, environ, mode)(network.commitment, held, **how)


def asked_for(screen):
    """The query of the address that the person was shown."""
    address = re.search(r"https://\S+/authorize\S+", screen.getvalue())[0]
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def pasted(screen, code="the-code"):
    """Pastes the address of the last page."""

    def text():
        query = asked_for(screen)
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    return text


# By the browser of this machine


def test_answer_that_comes_to_the_listener_is_exchanged_and_the_browser_is_told(network, screen, browser, no_typist):
    response, who = sign(network, mode="browser", metadata=WITH_DEVICES)
    assert (response.refresh_token, who) == ("the-refresh-token", "ada@example.com")
    assert [end for end, _ in network.asked] == ["files", "token"]
    (form,) = network.forms("token")
    assert form["code"] == "the-code"
    assert "ada@example.com" in browser.shown()
    (address,) = browser.opened
    assert form["redirect_uri"] == asked_for(screen)["redirect_uri"]
    assert screen.getvalue() == (
        f"lakekey: sign in to {HOST}.\nA browser opens; if it does not, visit:\n\n  {address}\n\n"
        f"You have {PATIENCE} s; Ctrl-C ends it.\n"
    )


def test_browser_that_does_not_start_is_opened_by_the_person(network, screen, browser, no_typist):
    browser.starts = False
    assert sign(network, mode="browser", user="ada@example.com")[1] == "ada@example.com"
    begin = f"lakekey: sign in to {HOST} as ada@example.com.\nOpen this address in a browser on this machine:\n"
    assert screen.getvalue().startswith(begin)


def test_person_at_this_machine_is_asked_for_no_line(network, screen, browser, no_typist, monkeypatch):
    monkeypatch.setattr(sign_in, "seat", lambda _: SimpleNamespace(remote=False, wsl=False, notebook=False))
    assert sign(network, metadata=WITH_DEVICES)[1] == "ada@example.com"


def test_time_that_is_left_is_counted_down_where_a_line_can_be_written_over(network, cell, browser, no_typist):
    sign(network, mode="browser")
    assert "You have" not in cell.getvalue()
    assert " s left, interrupt the cell to end it." in cell.getvalue()


def test_browser_is_told_what_went_wrong(network, screen, browser):
    network.answers["token"] = [answer(400, error="invalid_grant", error_description="it has expired")]
    with pytest.raises(LoginFailed, match="did not accept the sign-in's code") as caught:
        sign(network, mode="browser")
    assert "did not accept the sign-in" in browser.shown()
    assert caught.value.hint == "sign in again"


def test_app_that_the_server_does_not_know_is_an_error_before_the_browser_opens(network, screen, no_browser):
    with pytest.raises(LoginFailed, match="refuses this app's sign-ins"):
        sign(network, mode="browser", client_id="the-app", auth_type="external-browser")


@pytest.fixture
def taken():
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def test_port_that_another_program_has_is_an_error_at_this_machine(network, screen, no_browser, taken):
    with pytest.raises(LoginFailed):
        sign(network, mode="browser", redirect_port=taken)


def test_port_that_another_program_has_is_no_hindrance_to_pasting(network, screen, no_browser, taken, typist, caplog):
    caplog.set_level(logging.DEBUG, "lakekey")
    typist(pasted(screen))
    assert sign(network, environ=ELSEWHERE, redirect_port=taken)[1] == "ada@example.com"
    assert "the answer can be pasted" in caplog.text
    assert network.forms("token")[0]["redirect_uri"] == f"http://localhost:{taken}"


# By pasting


def test_answer_that_is_pasted_is_exchanged(network, screen, no_browser, typist):
    person = typist(None, "  ", "nonsense", pasted(screen))
    assert sign(network, mode="paste", metadata=WITH_DEVICES)[1] == "ada@example.com"
    assert person.closed
    assert 0.02 in network.commitment.made  # so Ctrl-C ends it
    text = screen.getvalue()
    assert "Open this address in a browser:\n" in text
    assert f"The last page begins with {asked_for(screen)['redirect_uri']}." in text
    assert text.count("lakekey: there is no code in it") == 1
    assert f"You have {PATIENCE} s" in text


def test_address_that_leads_elsewhere_than_this_machine_is_pasted(network, screen, no_browser, typist):
    typist(pasted(screen))
    sign(network, mode="browser", redirect_url="https://relay.example.com/back")
    assert network.forms("token")[0]["redirect_uri"] == "https://relay.example.com/back"


@pytest.mark.parametrize("environ", [ELSEWHERE, {"LAKEKEY_INTERACTIVE": "auto", **ELSEWHERE}])
def test_person_elsewhere_may_paste_or_not(network, screen, browser, typist, environ):
    person = typist(EOFError)
    assert sign(network, environ=environ, metadata=WITH_DEVICES)[1] == "ada@example.com"
    assert person.closed
    assert "ada@example.com" in browser.shown()
    assert "Open this address in a browser:\n" not in screen.getvalue()


def test_machine_without_a_browser_listens_and_takes_what_is_pasted(network, screen, no_browser, typist, monkeypatch):
    monkeypatch.setattr(sign_in, "seat", lambda _: SimpleNamespace(remote=False, wsl=False, notebook=False))
    typist(pasted(screen))
    assert sign(network, environ={"BROWSER": "none"})[1] == "ada@example.com"
    assert network.forms("token")[0]["redirect_uri"] != "http://localhost:0"


def test_mode_of_the_environment_is_that_of_the_sign_in(network, screen, no_browser, typist):
    typist(pasted(screen))
    sign(network, environ={"LAKEKEY_INTERACTIVE": "paste"})


def test_input_that_ends_ends_a_sign_in_that_nothing_else_can_answer(network, screen, no_browser, typist):
    typist(EOFError)
    with pytest.raises(LoginFailed, match="the input ended before the answer was pasted"):
        sign(network, mode="paste")


def test_sign_in_by_pasting_needs_a_place_to_paste(network, screen, no_browser, monkeypatch):
    monkeypatch.setattr(paste, "open_input", lambda notebook: None)
    with pytest.raises(LoginFailed, match="no terminal to paste the answer into"):
        sign(network, mode="paste")


def test_address_and_complaint_are_shown_before_the_person_is_waited_for(network, screen, no_browser, typist):
    shown = []
    typist(*[lambda: shown.append(screen.shown) or "nonsense"] * 2, pasted(screen))
    sign(network, mode="paste")
    assert "Open this address" in shown[0]
    assert "lakekey: there is no code in it" in shown[1]


def test_line_that_counts_down_makes_way_for_a_complaint(network, cell, no_browser, typist):
    typist("nonsense", pasted(cell))
    sign(network, mode="paste")
    assert "\rlakekey: there is no code in it" in cell.getvalue()
    assert " s left, interrupt the cell" in cell.getvalue()
    assert "You have" not in cell.getvalue()


def test_line_that_the_person_types_on_is_not_written_over(network, cell, no_browser, typist):
    typist(None, pasted(cell), idle=False)
    sign(network, mode="paste")
    assert " s left" not in cell.getvalue()
    assert f"You have {PATIENCE} s; interrupt the cell to end it." in cell.getvalue()


def test_sign_in_that_is_not_finished_in_time_is_given_up(network, screen, no_browser, typist):
    typist()
    with pytest.raises(LoginTimeout, match=r"within 0\.05 s"):
        sign(network, mode="paste", login_timeout=0.05)


@pytest.mark.parametrize(("seconds", "longer"), [(60.0, 300), (200.0, 400)])
def test_sign_in_that_was_given_up_may_have_twice_the_time(network, seconds, longer):
    target = resolve(None, {}, host=HOST, login_timeout=seconds)
    assert f"LAKEKEY_LOGIN_TIMEOUT={longer}," in PersonSignIn(target, None, {})._timeout().hint


# By a code


def device(network, **fields):
    network.answers["device"] = [answer(**CODE, interval=0.001, **fields)]
    return sign(network, environ={"BROWSER": "none"}, metadata=WITH_DEVICES)


def test_code_is_shown_where_no_browser_is_here_and_the_server_gives_one(network, screen, no_browser, no_typist):
    assert device(network, expires_in=30.0)[1] == "ada@example.com"
    assert screen.getvalue() == (
        f"lakekey: sign in to {HOST}: open {HOST}/enter in any browser and enter the code ABCD-EFGH\n"
        "You have 30 s; Ctrl-C ends it.\n"
    )


def test_code_is_shown_before_the_person_is_waited_for(network, screen, no_browser, no_typist):
    shown = []
    network.answers["token"] = [lambda: shown.append(screen.shown) or tokens()]
    device(network, expires_in=30.0)
    assert "enter the code ABCD-EFGH" in shown[0]


def test_code_that_has_expired_leaves_no_time(network, screen, no_browser, no_typist):
    with pytest.raises(LoginTimeout):
        device(network, expires_in=0.001)
    assert "You have 0 s;" in screen.getvalue()


def test_time_of_a_code_is_counted_down_where_a_line_can_be_written_over(network, cell, no_browser, no_typist):
    device(network, expires_in=30.0)
    assert "You have" not in cell.getvalue()


# The exchange


@pytest.mark.parametrize(("status", "asked", "waited"), [(503, None, 1.0), (429, 2.0, 2.0), (503, 100.0, 5.0)])
def test_exchange_that_was_turned_away_is_repeated_once(network, screen, typist, monkeypatch, status, asked, waited):
    pauses = []
    monkeypatch.setattr(sign_in, "time", SimpleNamespace(monotonic=time.monotonic, sleep=pauses.append))
    network.answers["token"].insert(0, answer(status, asked))
    typist(pasted(screen))
    assert sign(network, mode="paste")[1] == "ada@example.com"
    assert pauses == [waited]
    assert len(network.forms("token")) == 2


def test_exchange_that_failed_otherwise_is_not_repeated(network, screen, typist):
    network.answers["token"].insert(0, answer(500))
    typist(pasted(screen))
    with pytest.raises(TokenEndpointError):
        sign(network, mode="paste")
    assert len(network.forms("token")) == 1


def test_app_that_is_refused_is_told_which_setting_is_likely_wrong(network, screen, typist):
    network.answers["token"] = [answer(401, error="invalid_client")]
    typist(pasted(screen))
    with pytest.raises(CredentialsRefused) as caught:
        sign(network, mode="paste")
    assert "lakekey secret set" in caught.value.hint


# Who signed in


@pytest.mark.parametrize("refresh_token", ["the-refresh-token", ""])
def test_tokens_of_another_person_are_given_back(network, screen, typist, refresh_token):
    given = tokens(**({"refresh_token": refresh_token} if refresh_token else {}))
    network.answers["token"] = [given]
    typist(pasted(screen))
    with pytest.raises(WrongIdentity):
        sign(network, mode="paste", held="grace@example.com")
    (form,) = network.forms("revoke")
    assert form["token"] == (refresh_token or given.json_object()["access_token"])


def test_session_that_may_change_hands_is_another_persons_afterwards(network, screen, typist):
    typist(pasted(screen))
    assert sign(network, mode="paste", held="grace@example.com", how={"switch": True})[1] == "ada@example.com"
    assert network.forms("revoke") == []


def test_id_token_of_another_sign_in_is_refused(network, screen, typist):
    claims = {"iss": HOST, "aud": "databricks-cli", "exp": time.time() + 60, "sub": "ada@example.com"}
    typist(pasted(screen))
    network.answers["token"] = [
        lambda: tokens(id_token=jwt(**claims, nonce=asked_for(screen)["nonce"])),
        tokens(id_token=jwt(**claims, nonce="of another sign-in")),
    ]
    assert sign(network, mode="paste", scopes=("all-apis", "openid"))[1] == "ada@example.com"
    screen.seek(0)
    screen.truncate()
    typist(pasted(screen))
    with pytest.raises(LoginFailed, match="ID token"):
        sign(network, mode="paste", scopes=("all-apis", "openid"))
