"""HTTP to an authorization server that is slow, hostile or not there."""

import base64
import contextlib
import gc
import socket
import threading
import time

import pytest

from lakekey.errors import ConfigurationError, TokenEndpointError
from lakekey.oauth.answer import Answer
from lakekey.oauth.transport import MAX_BODY, Transport

FORM = {"grant_type": "refresh_token", "refresh_token": "a-refresh-token"}


@pytest.fixture
def transport():
    return Transport(user_agent="lakekey/test")


def test_a_form_is_posted_and_the_answer_is_read_whole(server, transport):
    server.answer("/token", '{"access_token": "t"}')
    answer = transport.post_form(f"{server.url}/token", FORM)
    assert (answer.status, answer.json_object()) == (200, {"access_token": "t"})
    (asked,) = server.asked
    assert (asked.method, asked.body) == ("POST", "grant_type=refresh_token&refresh_token=a-refresh-token")
    assert (asked.headers["User-Agent"], asked.headers["Accept"]) == ("lakekey/test", "application/json")


@pytest.mark.parametrize("address", ["https://[/", "https://a..b/", "//", "ftp://elsewhere/", "\x7f"])
def test_where_a_redirect_leads_is_not_looked_at(server, transport, address):
    server.answer("/token", status=302, Location=address)
    answer = transport.post_form(f"{server.url}/token", FORM)
    assert (answer.status, answer.location) == (302, address)


def test_a_redirect_with_a_body_without_end_is_cut_off(transport):
    def pour():
        connection, _ = endless.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n")
            while True:
                connection.sendall(b" " * 65536)

    with socket.create_server(("127.0.0.1", 0)) as endless:
        thread = threading.Thread(target=pour)
        thread.start()
        with pytest.raises(TokenEndpointError, match="sent more than"):
            transport.get(f"http://127.0.0.1:{endless.getsockname()[1]}/", deadline=time.monotonic() + 5)
        thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(server, transport, status):
    server.answer("/token", status=status, Location=f"{server.url}/elsewhere")
    assert transport.post_form(f"{server.url}/token", FORM).status == status
    assert [asked.path for asked in server.asked] == ["/token"]


def test_credentials_in_netrc_are_not_sent(server, transport, bare_machine, monkeypatch):
    netrc = bare_machine / "netrc"
    netrc.write_text("machine 127.0.0.1 login stranger password something\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    transport.get(f"{server.url}/")
    transport.post_form(f"{server.url}/token", FORM)
    assert not [asked for asked in server.asked if "Authorization" in asked.headers]


def test_a_client_id_and_secret_are_form_encoded_before_basic_joins_them(server, transport):
    transport.post_form(f"{server.url}/token", FORM, basic=("an:id", "p@ss word"))
    encoded = server.asked[0].headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(encoded) == b"an%3Aid:p%40ss+word"


def test_a_body_without_end_is_cut_off(server, transport):
    server.answer("/token", b" " * (MAX_BODY + 1))
    with pytest.raises(TokenEndpointError, match="sent more than") as caught:
        transport.get(f"{server.url}/token")
    assert not caught.value.retryable


def test_truncated_body_is_rejected(server, transport):
    server.answer("/token", b'{"access_token": "t"', Content_Length="100")
    with pytest.raises(
        TokenEndpointError, match=r"the answer of 127\.0\.0\.1.*, or of a proxy, is incomplete"
    ) as caught:
        transport.get(f"{server.url}/token")
    assert "refresh" not in str(caught.value)


def test_a_server_that_says_nothing_is_given_up_at_the_deadline(transport):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()  # on Windows, 5 s more may pass
        with pytest.raises(TokenEndpointError, match="did not answer in time"):
            transport.get(f"http://127.0.0.1:{silent.getsockname()[1]}/", deadline=began + 0.2)
        assert time.monotonic() - began < 20


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_silent_proxy_is_named_beside_the_host_that_it_leads_to(transport, monkeypatch, scheme):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        proxy = f"127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://ada:dose0123@{proxy}")
        with pytest.raises(TokenEndpointError) as caught:
            transport.get("https://dbc-1.example.com/", deadline=time.monotonic() + 0.2)
    assert caught.value.message == f"dbc-1.example.com did not answer in time through the proxy {proxy}"


@pytest.mark.parametrize("framing", [b"Content-Length: 1000", b"Connection: close"], ids=["length", "until it closes"])
def test_a_server_that_drips_is_given_up_at_the_deadline(transport, framing):
    def drip(listener):
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + framing + b"\r\n\r\n")
            while True:
                connection.sendall(b" ")
                time.sleep(0.02)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        began = time.monotonic()
        with pytest.raises(TokenEndpointError, match="in time") as caught:
            transport.get(f"http://127.0.0.1:{listener.getsockname()[1]}/", deadline=began + 0.3)
        assert time.monotonic() - began < 5
        assert caught.value.retryable
        thread.join()


def test_a_server_that_is_not_there_is_reported_by_name(transport):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(TokenEndpointError, match=f"cannot reach 127.0.0.1:{port}: Connection refused") as caught:
        transport.post_form(f"http://127.0.0.1:{port}/token", FORM)
    assert caught.value.hint
    assert caught.value.__context__ is None  # the library's exception carries the request


@pytest.mark.parametrize(
    "url", ["http://workspace.example.com/token", "ftp://127.0.0.1/token", "//workspace", " http://127.0.0.1/"]
)
def test_an_address_that_would_send_credentials_in_clear_is_refused(transport, url):
    with pytest.raises(ConfigurationError, match="not a secure address"):
        transport.post_form(url, FORM)


def test_an_address_that_is_none_is_refused(transport):
    with pytest.raises(ConfigurationError, match="malformed"):
        transport.get("https://[::1/")


@pytest.mark.parametrize("name", ["one..example.com", f"{'a' * 64}.example.com"])
def test_a_name_that_cannot_be_looked_up_is_a_server_that_is_not_there(transport, name):
    with pytest.raises(TokenEndpointError, match=f"cannot reach {name}: "):
        transport.get(f"https://{name}/")


def test_a_ca_file_that_is_not_there_is_reported_before_anything_is_sent():
    with pytest.raises(ConfigurationError, match="there is no ca_file /nowhere"):
        Transport(ca_file="/nowhere.pem").get("https://127.0.0.1:9/")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", "<html>"),
        ("application/json", "[" * 100_000),
        ("application/json", "[1]"),
        ("application/json", b"\xff\xfe{"),
    ],
)
def test_what_is_not_a_json_object_is_none(server, transport, content_type, body):
    server.answer("/token", body, content_type=content_type)
    assert transport.get(f"{server.url}/token").json_object() is None


@pytest.mark.parametrize(
    ("content_type", "says_json"),
    [
        ("application/json; charset=utf-8", True),
        ("Application/JSON", True),
        ("application/scim+json", True),
        ("text/html", False),
        ("", False),
    ],
)
def test_json_is_json_under_any_media_type(server, transport, content_type, says_json):
    server.answer("/token", content_type=content_type)
    answer = transport.get(f"{server.url}/token")
    assert (answer.json_object(), answer.says_json) == ({}, says_json)


@pytest.mark.parametrize(("header", "seconds"), [("3", 3.0), ("-5", 0.0), ("soon", None), ("", None)])
def test_retry_after_in_seconds(server, transport, header, seconds):
    server.answer("/token", status=503, Retry_After=header)
    assert transport.get(f"{server.url}/token").retry_after == seconds


def test_retry_after_as_a_date_that_has_passed_is_now(server, transport):
    server.answer("/token", status=429, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT")
    assert transport.get(f"{server.url}/token").retry_after == 0.0


def test_a_description_of_an_answer_shows_none_of_its_content():
    said = Answer(502, "text/html", b"<p>secret</p>", None).describe()
    assert said == "HTTP 502 with text/html (13 bytes)"


@pytest.mark.parametrize("first_line", [b"", b"\x1b[2J", b"HTTP/9.9 200 OK "], ids=["the form", "escapes", "version"])
def test_an_answer_that_is_not_http_is_not_quoted(transport, first_line):
    def repeat():
        connection, _ = echo.accept()
        with connection:
            asked = b""
            while b"a-refresh-token" not in asked:
                asked += connection.recv(65536)
            connection.sendall(first_line + asked.partition(b"\r\n\r\n")[2] + b"\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as echo:
        thread = threading.Thread(target=repeat)
        thread.start()
        with pytest.raises(TokenEndpointError, match=r"127\.0\.0\.1.* cannot be read") as caught:
            transport.post_form(f"http://127.0.0.1:{echo.getsockname()[1]}/", FORM)
        thread.join(10)
    assert "a-refresh-token" not in str(caught.value)
    assert str(caught.value).isprintable()
    del caught
    gc.collect()  # with it goes what the library raised, which quotes the form


@pytest.mark.parametrize("token", ["a-secret\nX: y", "a-secret\u20ac"])
def test_a_header_that_cannot_be_sent_is_not_quoted(server, transport, token):
    with pytest.raises(TokenEndpointError) as caught:
        transport.get(f"{server.url}/", headers={"Authorization": f"Bearer {token}"})
    assert "a-secret" not in str(caught.value)


def test_a_form_that_cannot_be_encoded_is_an_error_of_ours(server, transport):
    with pytest.raises(TokenEndpointError):
        transport.post_form(f"{server.url}/", {"device_code": "\ud800"})


@pytest.mark.parametrize(
    "date", [f"Mon, 01 Jan 2020 00:00:00 +{'9' * 20}", f"Mon, 01 Jan {'9' * 20} 00:00:00 GMT"], ids=["zone", "year"]
)
def test_a_date_beyond_all_measure_costs_no_answer(server, transport, date):
    server.answer("/token", '{"refresh_token": "the-successor"}', Retry_After=date)
    answer = transport.post_form(f"{server.url}/token", FORM)
    assert (answer.retry_after, answer.json_object()) == (None, {"refresh_token": "the-successor"})


@pytest.mark.parametrize(("kind", "kept"), [("a" * 120, True), ("a" * 121, False), ("text/\x7fhtml", False)])
def test_media_type_is_kept_where_it_can_be_shown(server, transport, kind, kept):
    server.answer("/token", content_type=kind)
    assert transport.get(f"{server.url}/token").content_type == (kind if kept else "")
