"""The loopback callback takes the one answer it waits for, and outlives everything else."""

import base64
import contextlib
import hashlib
import os
import select
import socket
import threading

import pytest

from lakekey.errors import LoginFailed
from lakekey.login import listener, pages
from lakekey.login.callback import Callback
from support.waiting import until

STATE = "the-state-of-this-sign-in"


@pytest.fixture
def callback():
    with Callback([0]) as callback:
        callback.expect(STATE)
        yield callback


def ask(callback, raw: bytes | str, *, address="127.0.0.1") -> str:
    """Sends bytes and reads the whole answer."""
    with socket.create_connection((address, callback.port), timeout=20) as sock:
        with contextlib.suppress(ConnectionError):  # it may have heard enough
            sock.sendall(raw.encode() if isinstance(raw, str) else raw)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while chunk := sock.recv(65536):
                answer += chunk
    return answer.decode()


def get(callback, target, *, host=None, method="GET", more=""):
    host = f"localhost:{callback.port}" if host is None else host
    return ask(callback, f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n")


def finish(callback) -> str:
    """The right answer, as a browser that waits for its page brings it."""
    page = []
    browser = threading.Thread(target=lambda: page.append(get(callback, f"/?code=the-code&state={STATE}")))
    browser.start()
    assert callback.answered.wait(10)
    assert callback.answer() == {"code": "the-code", "state": STATE}
    callback.show(pages.signed_in("ada@example.com", "https://w.example.com"))
    browser.join(10)
    return page[0]


STRAYS = {
    "a favicon": "GET /favicon.ico HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n",
    "no parameters": "GET / HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n",
    "another path": "GET /x?code=c&state={state} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n",
    "a double slash": "GET //x?code=c&state={state} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n",
    "an absolute target": "GET http://evil/?code=c&state={state} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n",
    "a target that is not an address": "GET //[x/?code=c&state={state} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n",
    "an absolute one that is none": "GET http://[::1/?code=c&state={state} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n",
    "POST": "POST /?code=c&state={state} HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: 0\r\n\r\n",
    "HEAD": "HEAD /?code=c&state={state} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n",
    "OPTIONS": "OPTIONS /?code=c&state={state} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n",
    "CONNECT": "CONNECT evil:443 HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n",
    "a foreign host": "GET /?code=c&state={state} HTTP/1.1\r\nHost: evil.example.com:{port}\r\n\r\n",
    "a host without the port": "GET /?code=c&state={state} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no host": "GET /?code=c&state={state} HTTP/1.1\r\n\r\n",
    "two hosts": "GET /?code=c&state={state} HTTP/1.1\r\nHost: localhost:{port}\r\nHost: evil\r\n\r\n",
    "a wrong state": "GET /?code=c&state=wrong HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n",
    "no state": "GET /?code=c HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n",
    "a state twice": "GET /?code=c&state={state}&state={state} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n",
    "a code twice": "GET /?code=c&code=d&state={state} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n",
    "code and error": "GET /?code=c&error=x&state={state} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n",
    "neither code nor error": "GET /?state={state} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n",
    "an empty code": "GET /?code=&state={state} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n",
    "bytes that are no text": "GET /?code=%ff%fe&state={state} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n",
    "an error without a state": "GET /?error=access_denied HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n",
    "a hundred parameters": "GET /?code=c&state={state}&" + "&".join(f"a{n}=1" for n in range(100))
    + " HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n",
    "an endless address": "GET /?code=" + "c" * 100_000 + "&state={state} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n",
    "endless headers": "GET / HTTP/1.1\r\n" + "X: y\r\n" * 20_000 + "\r\n",
    "a folded header": "GET /?code=c&state={state} HTTP/1.1\r\nHost: localhost:{port}\r\n evil\r\n\r\n",
    "HTTP/0.9": "GET /\r\n\r\n",
    "no HTTP at all": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}  # fmt: skip


@pytest.mark.parametrize("stray", STRAYS)
def test_a_stray_is_turned_away_and_the_sign_in_goes_on(callback, stray):
    answer = ask(callback, STRAYS[stray].replace("{port}", str(callback.port)).replace("{state}", STATE))
    assert answer.startswith("HTTP/1.1 404 ")
    assert not callback.answered.is_set()
    assert finish(callback).startswith("HTTP/1.1 200 ")


def test_connections_that_say_nothing_or_never_end_do_not_keep_the_browser_out(callback):
    with contextlib.ExitStack() as strays:
        for number in range(listener.MAX_CONNECTIONS * 2):
            sock = strays.enter_context(socket.create_connection(("127.0.0.1", callback.port), timeout=20))
            with contextlib.suppress(ConnectionError):
                sock.sendall([b"", b"GET /?code=", b"G", b"GET / HTTP/1.1\r\nX-Slow: "][number % 4])
        assert "signed in" in finish(callback)
        assert len(callback._server._connections) <= listener.MAX_CONNECTIONS


def test_many_strays_at_once_are_all_answered(callback):
    answers = []

    def stray():
        answers.append(get(callback, "/favicon.ico"))

    threads = [threading.Thread(target=stray) for _ in range(40)]
    for thread in threads:
        thread.start()
    assert "signed in" in finish(callback)
    for thread in threads:
        thread.join(20)
    assert [answer[:12] for answer in answers] == ["HTTP/1.1 404"] * 40


def test_connection_that_is_cut_off_does_not_disturb_the_sign_in(callback):
    for linger in (0, 1):
        sock = socket.create_connection(("127.0.0.1", callback.port), timeout=20)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger.to_bytes(4, "little") + bytes(4))
        sock.sendall(b"GET / HTTP/1.1\r\n")
        sock.close()
    assert "signed in" in finish(callback)


def test_a_request_may_come_in_pieces(callback):
    request = f"GET /?code=the-code&state={STATE} HTTP/1.1\r\nHost: 127.0.0.1:{callback.port}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", callback.port), timeout=20) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request:
            sock.sendall(bytes([byte]))
        assert callback.answered.wait(10)


def test_the_tab_waits_for_the_outcome_and_a_reload_shows_it_again(callback):
    first = finish(callback)
    assert "ada@example.com" in first
    again = get(callback, f"/?code=another&state={STATE}")
    assert "ada@example.com" in again
    assert callback.answer()["code"] == "the-code"


def test_tab_that_has_waited_for_long_has_as_much_time_for_its_page_as_any(callback):
    with socket.create_connection(("127.0.0.1", callback.port), timeout=20) as sock:
        sock.sendall(f"GET /?code=the-code&state={STATE} HTTP/1.1\r\nHost: localhost:{callback.port}\r\n\r\n".encode())
        assert callback.answered.wait(20)
        for connection in callback._server._connections.values():
            connection.deadline = 0.0
        callback.show(b"the page")
        answer = b""
        while chunk := sock.recv(65536):
            answer += chunk
        assert answer.endswith(b"the page")
        # The peer sees the end a moment before the listener has noted that it told it.
        until(lambda: [each.draining for each in list(callback._server._connections.values())] == [True])


def test_second_request_on_a_connection_is_not_looked_at(callback):
    with socket.create_connection(("127.0.0.1", callback.port), timeout=20) as sock:
        host = f"HTTP/1.1\r\nHost: localhost:{callback.port}\r\n\r\n"
        sock.sendall(f"GET /favicon.ico {host}".encode())
        while sock.recv(65536):
            pass
        sock.sendall(f"GET /?code=the-code&state={STATE} {host}".encode())
        get(callback, "/favicon.ico")  # it has looked at what came before
        assert not callback.answered.is_set()


def test_listener_that_was_woken_sleeps_again(callback):
    callback.show(b"the page")
    until(lambda: not select.select([callback._server._wake_receiver], [], [], 0)[0])


def test_an_answer_to_another_sign_in_gets_the_page_that_says_so(callback):
    page = get(callback, "/?code=c&state=of-yesterday")
    assert "not awaited" in page


def test_an_error_of_the_server_is_an_answer(callback):
    with socket.create_connection(("127.0.0.1", callback.port), timeout=20) as sock:
        target = f"/?error=access_denied&error_description=No+way&state={STATE}"
        sock.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost:{callback.port}\r\n\r\n".encode())
        assert callback.answered.wait(10)
    assert callback.answer()["error_description"] == "No way"


@pytest.mark.proc
def test_listener_accepts_this_machine_only(callback):
    for table, loopbacks in (("tcp", {"0100007F"}), ("tcp6", {"00000000000000000000000001000000"})):
        with open(f"/proc/net/{table}", encoding="ascii") as file:
            rows = [line.split() for line in file.readlines()[1:]]
        listening = {row[1].split(":")[0] for row in rows
                     if row[3] == "0A" and int(row[1].split(":")[1], 16) == callback.port}  # fmt: skip
        assert listening <= loopbacks
    assert ask(callback, "GET / HTTP/1.1\r\n\r\n").startswith("HTTP/1.1 404")


def test_both_loopback_addresses_are_ours_since_a_browser_may_try_either(callback):
    assert get(callback, "/").startswith("HTTP/1.1 404")
    assert ask(callback, "GET / HTTP/1.1\r\n\r\n", address="::1").startswith("HTTP/1.1 404")
    assert callback.redirect_uri == f"http://localhost:{callback.port}"


def test_a_port_whose_other_half_is_taken_is_not_used():
    with socket.socket(socket.AF_INET6) as other, Callback([0]) as spare:
        other.bind(("::1", 0))
        other.listen()
        taken = other.getsockname()[1]
        free = spare.port
        spare.__exit__()
        with Callback([taken, free]) as callback:
            assert callback.port == free


@pytest.mark.proc
def test_taken_ports_are_walked_past_and_named_when_there_is_none_left():
    with Callback([0]) as first, Callback([0]) as second:
        with pytest.raises(LoginFailed, match=f"tried {first.port} to {second.port}") as failure:
            Callback([first.port, second.port])
        assert f"end process {os.getpid()} (" in failure.value.hint
        assert "LAKEKEY_INTERACTIVE=paste" in failure.value.hint


def test_the_port_is_free_again_at_once():
    with Callback([0]) as callback:
        callback.expect(STATE)
        finish(callback)
    with Callback([callback.port]) as again:
        assert again.port == callback.port


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")  # of Python 3.12 and later
@pytest.mark.fork
def test_a_child_that_was_forked_meanwhile_does_not_keep_the_port():
    ends, end = os.pipe()
    with Callback([0]) as callback:
        child = os.fork()
        if child == 0:
            os.close(end)
            os.read(ends, 1)
            os._exit(0)
    try:
        with Callback([callback.port]) as again:
            assert again.port == callback.port
            again.expect(STATE)
            assert "signed in" in finish(again)
    finally:
        os.close(end)
        os.close(ends)
        os.waitpid(child, 0)


def test_closing_lets_the_outcome_reach_the_browser():
    page = []
    with Callback([0]) as callback:
        callback.expect(STATE)
        browser = threading.Thread(target=lambda: page.append(get(callback, f"/?code=c&state={STATE}")))
        browser.start()
        assert callback.answered.wait(10)
        callback.show(pages.failed("the server said no"))
    browser.join(10)
    assert "the server said no" in page[0]


def test_a_tab_of_a_login_that_was_given_up_is_not_left_waiting():
    page = []
    with Callback([0]) as callback:
        callback.expect(STATE)
        browser = threading.Thread(target=lambda: page.append(get(callback, f"/?code=c&state={STATE}")))
        browser.start()
        assert callback.answered.wait(10)
    browser.join(10)
    assert page[0].startswith("HTTP/1.1 200 ")
    assert "Sign-in received" in page[0]


@pytest.mark.parametrize(
    "page",
    [pages.signed_in("<b>ada</b>", "https://w.example.com", account="<i>", profile='"><script>'),
     pages.failed("<script>alert(1)</script>", hint="<img src=x>"), pages.stale(), pages.unknown(), pages.not_found()],
)  # fmt: skip
def test_a_page_loads_and_leaks_nothing_and_runs_one_line_of_ours(page):
    ours = f"<script>{pages.SCRIPT}</script>"
    assert page.decode().count(ours) == 1
    text = page.decode().replace(ours, "")
    for forbidden in ("<script", "<img", "<b>", "<i>", "http-equiv", "url("):
        assert forbidden not in text
    headers = dict(pages.HEADERS)
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "unsafe-inline" not in headers["Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(pages.SCRIPT.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in headers["Content-Security-Policy"]


def test_the_page_names_the_workspace_the_account_and_the_person():
    text = pages.signed_in("ada@example.com", "https://w.example.com", account="a1b2", profile="prod").decode()
    for fact in ("ada@example.com", "w.example.com", "a1b2", "prod", "You can close this tab"):
        assert fact in text
    assert "Account console" in pages.signed_in(None, "https://accounts.cloud.databricks.com").decode()
