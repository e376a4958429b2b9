"""SOCKS proxies: an exchange goes through one, with the deadline and the commitment of any other."""

import contextlib
import socket
import ssl
import struct
import threading
import time

import pytest

from lakekey.errors import TokenEndpointError
from lakekey.oauth import deadlines
from lakekey.oauth.transport import Transport
from support.tls import write_certificates

FORM = {"grant_type": "client_credentials"}
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"token": "one"}'
PASSWORD = "dose-of-socks"
GRANTED, REFUSED = b"\x05\x00", b"\x05\x02"
ACCEPTED = b"\x00\x01\x00\x00\x00\x00\x00\x00"


class Work:
    """Notes that it was committed."""

    def __init__(self):
        self.committed = False

    def commit(self):
        self.committed = True

    def settled(self):
        """It may be called off again."""

    def pause(self, seconds):
        """It is not called off."""


@contextlib.contextmanager
def listening(serve):
    """Handles one connection in a thread; yields the port."""

    def accept():
        with contextlib.suppress(OSError), listener.accept()[0] as connection:
            connection.settimeout(60)
            serve(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(60)
        assert not thread.is_alive()


class Proxy:
    """SOCKS 5 with a user and a password (RFC 1928, RFC 1929); one connection. It is the server behind it as well."""

    def __init__(self, reply=GRANTED, serve=None):
        self.reply = reply
        self.serve = serve
        self.user = self.wanted = None
        self.ended = threading.Event()

    def __call__(self, connection):
        try:
            with connection.makefile("rb") as read:
                read.read(read.read(2)[1])
                connection.sendall(b"\x05\x02")
                read.read(1)
                self.user = tuple(read.read(read.read(1)[0]).decode() for _ in range(2))
                connection.sendall(b"\x01\x00")
                read.read(4)
                name = read.read(read.read(1)[0]).decode()
                self.wanted = name, struct.unpack("!H", read.read(2))[0]
            connection.sendall(self.reply + ACCEPTED)
            if self.serve is not None:
                self.serve(connection)
        finally:
            self.ended.set()


def tls_server(certificates):
    """What makes a connection speak TLS as a server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.cert, certificates.key)
    return lambda connection: context.wrap_socket(connection, server_side=True)


def read_request(connection):
    asked = b""
    while not asked.endswith(b"client_credentials"):
        piece = connection.recv(65536)
        assert piece
        asked += piece


@pytest.fixture
def behind(monkeypatch):
    """Sets the proxy."""
    for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)

    def through(port):
        monkeypatch.setenv("HTTPS_PROXY", f"socks5h://me:{PASSWORD}@127.0.0.1:{port}")

    return through


def test_form_goes_through_the_proxy_by_tls_and_commits_first(behind, tmp_path):
    certificates = write_certificates(tmp_path)
    secured = tls_server(certificates)
    work, committed = Work(), []

    def serve(connection):
        with secured(connection) as secure:
            read_request(secure)
            committed.append(work.committed)
            secure.sendall(ANSWER)

    proxy = Proxy(serve=serve)
    with listening(proxy) as port, deadlines.committing(work):
        behind(port)
        url = "https://localhost/oidc/v1/token"
        answer = Transport(ca_file=str(certificates.ca)).post_form(url, FORM, deadline=time.monotonic() + 60)
    assert answer.json_object() == {"token": "one"}
    assert proxy.user == ("me", PASSWORD)
    assert proxy.wanted == ("localhost", 443)
    assert committed == [True]


def test_server_that_drips_behind_the_proxy_is_left_at_the_deadline(behind, tmp_path):
    certificates = write_certificates(tmp_path)
    secured = tls_server(certificates)

    def drip(connection):
        with secured(connection) as secure:
            read_request(secure)
            secure.sendall(ANSWER[:30])
            secure.recv(1)  # until it is left

    proxy = Proxy(serve=drip)
    with listening(proxy) as port:
        behind(port)
        with pytest.raises(TokenEndpointError, match="did not answer in time"):
            Transport(ca_file=str(certificates.ca)).post_form("https://localhost/", FORM, deadline=time.monotonic() + 2)
        assert proxy.ended.wait(60)


def test_proxy_that_refuses_is_told_with_its_reason_and_without_its_password(behind):
    with listening(Proxy(REFUSED)) as port:
        behind(port)
        with pytest.raises(TokenEndpointError, match=r"the proxy on the way .*not allowed by ruleset") as caught:
            Transport().post_form("https://workspace.example.com/", FORM, deadline=time.monotonic() + 60)
    assert caught.value.hint == "check HTTPS_PROXY"
    assert PASSWORD not in str(caught.value)


def test_proxy_that_is_not_there_is_the_one_to_look_at(behind):
    behind(1)
    with pytest.raises(TokenEndpointError, match=r"the proxy on the way .*Connection refused") as caught:
        Transport().get("https://workspace.example.com/")
    assert caught.value.hint == "check HTTPS_PROXY"


def test_proxy_that_says_nothing_is_left_at_the_deadline(behind):
    ended = threading.Event()
    with listening(lambda _: ended.wait(60)) as port:
        behind(port)
        with pytest.raises(TokenEndpointError, match="did not answer in time"):
            Transport().get("https://workspace.example.com/", deadline=time.monotonic() + 0.5)
        ended.set()
