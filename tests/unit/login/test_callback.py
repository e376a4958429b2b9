"""The loopback redirect: one answer is taken, everything else is outlived."""

import errno
import socket
import threading
from http.client import HTTPConnection
from urllib.parse import urlencode

import pytest

from lakekey.errors import LoginFailed
from lakekey.login import listener
from lakekey.login.callback import Callback, _has_ipv6

STATE = "the-state"
PAGE = b"<p>Signed in</p>"


@pytest.fixture
def callback():
    with Callback([0]) as callback:
        callback.expect(STATE)
        callback.show(PAGE)
        yield callback


def ask(callback, path="/", method="GET", host=None, **query):
    connection = HTTPConnection("127.0.0.1", callback.port, timeout=5)
    try:
        target = f"{path}?{urlencode(query)}" if query else path
        connection.request(method, target, headers={"Host": host or f"localhost:{callback.port}"})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def test_the_answer_that_carries_the_state_is_taken(callback):
    status, headers, page = ask(callback, code="a-code", state=STATE)
    assert (status, page) == (200, PAGE)
    assert callback.answered.is_set()
    assert callback.answer() == {"code": "a-code", "state": STATE}
    assert (headers["Referrer-Policy"], headers["Cache-Control"]) == ("no-referrer", "no-store")


def test_an_error_is_an_answer_too(callback):
    assert ask(callback, error="access_denied", state=STATE)[0] == 200
    assert callback.answer()["error"] == "access_denied"


ANSWER = {"code": "c", "state": STATE}


@pytest.mark.parametrize(
    ("stray", "query"),
    [
        pytest.param({}, {"code": "c", "state": "another-state"}, id="another state"),
        pytest.param({}, {"code": "c"}, id="no state"),
        pytest.param({}, {"state": STATE}, id="no code"),
        pytest.param({}, {**ANSWER, "error": "e"}, id="code and error"),
        pytest.param({"path": "/favicon.ico"}, {}, id="favicon"),
        pytest.param({"path": "/elsewhere"}, ANSWER, id="another path"),
        pytest.param({"method": "POST"}, ANSWER, id="another method"),
        pytest.param({"host": "evil.example.com"}, ANSWER, id="another host"),
    ],
)
def test_a_stray_request_gets_404_and_does_not_end_the_login(callback, stray, query):
    status, _, page = ask(callback, **stray, **query)
    assert status == 404
    assert STATE.encode() not in page
    assert not callback.answered.is_set()
    ask(callback, code="a-code", state=STATE)
    assert callback.answer()["code"] == "a-code"


def test_the_redirect_address_names_the_port_that_was_bound_before():
    with Callback([0], path="/callback") as callback:
        assert callback.redirect_uri == f"http://localhost:{callback.port}/callback"
        assert callback.port != 0


def test_an_ipv6_redirect_is_listened_for_there_alone():
    with Callback([0], path="/cb", host_name="::1") as callback:
        assert callback.redirect_uri == f"http://[::1]:{callback.port}/cb"
        callback.expect(STATE)
        callback.show(PAGE)
        with pytest.raises(ConnectionRefusedError):
            ask(callback, "/cb", code="a-code", state=STATE)
        connection = HTTPConnection("::1", callback.port, timeout=5)
        connection.request("GET", f"/cb?code=a-code&state={STATE}")
        assert connection.getresponse().read() == PAGE
        connection.close()


def test_an_ipv6_redirect_on_a_machine_without_ipv6_is_told_of(monkeypatch):
    monkeypatch.setattr("lakekey.login.callback._has_ipv6", lambda: False)
    with pytest.raises(LoginFailed, match="has no IPv6") as caught:
        Callback([0], host_name="::1")
    assert "LAKEKEY_INTERACTIVE=paste" in caught.value.hint
    with Callback([0]) as callback:  # a name that has another address is listened for at that one
        assert callback.redirect_uri == f"http://localhost:{callback.port}"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_a_host_without_its_port_is_ours_where_the_port_is_the_usual_one(callback, host):
    assert ask(callback, host=host, **ANSWER)[0] == 404
    callback.port = 80  # as if bound there, which takes rights that a test may lack
    assert callback._is_ours((host,))
    assert callback._is_ours((f"{host}:80",))
    assert not callback._is_ours((f"{host}:81",))
    assert not callback._is_ours(("evil.example.com",))
    assert not callback._is_ours((host, host))


def test_a_port_that_is_taken_is_passed_over():
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = holder.getsockname()[1]
        with Callback([taken, 0]) as callback:
            assert callback.port != taken


def test_no_free_port_is_a_failed_login_that_says_which_were_tried():
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = holder.getsockname()[1]
        with pytest.raises(LoginFailed, match=f"tried {taken}") as caught:
            Callback([taken])
    assert str(taken) in caught.value.hint


def test_a_port_that_an_answered_login_has_just_left_serves_the_next():
    with Callback([0]) as first:
        first.expect(STATE)
        first.show(PAGE)
        ask(first, code="a-code", state=STATE)
    with Callback([first.port]) as second:
        assert second.port == first.port


def test_port_is_free_again_where_no_thread_can_serve_it(monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    callback = Callback([0])
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(LoginFailed, match="cannot start a thread") as caught, callback:
            pass
    assert "ulimit -u" in caught.value.hint
    assert callback._server._selector.get_map() is None
    assert callback._server._wake_receiver.fileno() == -1
    with Callback([callback.port]) as again:
        assert again.port == callback.port


def test_page_that_was_shown_stays_the_outcome_as_the_sign_in_ends():
    with Callback([0]) as callback:
        callback.expect(STATE)
        callback.show(PAGE)
        ask(callback, code="a-code", state=STATE)
    assert callback._outcome.page == PAGE


def test_thread_has_ended_when_the_sign_in_has():
    with Callback([0]) as callback:
        callback.show(PAGE)
    assert "lakekey-callback" not in {thread.name for thread in threading.enumerate()}
    assert callback._server._selector.get_map() is None


@pytest.mark.parametrize("query", [{"code": "c"}, {"code": "c", "state": ""}, {"error": "e", "state": ""}])
def test_request_before_an_answer_is_expected_is_turned_away(query):
    with Callback([0]) as early:
        assert ask(early, **query)[0] == 404
        assert not early.answered.is_set()
        early.expect(STATE)
        early.show(PAGE)
        assert ask(early, code="c", state=STATE)[0] == 200


def raw(callback, request):
    with socket.create_connection(("127.0.0.1", callback.port), timeout=5) as connection:
        connection.sendall(request.replace(b"PORT", b"%d" % callback.port))
        return connection.makefile("rb").readline()


@pytest.mark.parametrize(
    "headers",
    [
        b"Host: localhost:PORT\r\n folded: 1\r\n",
        b"X: 1\r\n Host: localhost:PORT\r\n",
        b"Host: localhost:PORT\r\n\tx: y\r\n",
    ],
)
def test_folded_header_is_turned_away(callback, headers):
    """RFC 9112 §5.2: a line that begins with white space continues the one before; a server may refuse it."""
    target = f"/?{urlencode(ANSWER)}".encode()
    assert b" 404 " in raw(callback, b"GET " + target + b" HTTP/1.1\r\n" + headers + b"\r\n")
    assert not callback.answered.is_set()


def test_ipv6_listener_takes_no_ipv4_connections():
    with listener.listen("::1", 0) as sock:
        assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1


def test_machine_whose_ipv6_has_no_loopback_has_none(monkeypatch):
    class WithoutLoopback(socket.socket):
        def bind(self, address):
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")

    monkeypatch.setattr(socket, "has_ipv6", True)
    monkeypatch.setattr(socket, "socket", WithoutLoopback)
    assert not _has_ipv6()


def test_ipv6_is_found_by_a_user_who_may_not_have_every_port(monkeypatch):
    class OfAUser(socket.socket):
        def bind(self, address):
            if 0 < address[1] < 1024:
                raise PermissionError(errno.EACCES, "Permission denied")
            super().bind(address)

    monkeypatch.setattr(socket, "socket", OfAUser)
    assert _has_ipv6()


def test_python_without_ipv6_has_none(monkeypatch):
    monkeypatch.setattr(socket, "has_ipv6", False)
    assert not _has_ipv6()
