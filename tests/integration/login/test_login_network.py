"""Proxies, private CAs and client certificates: one setting for every call of a sign-in."""

import contextlib
import http.server
import json
import select
import socket
import ssl
import threading
import time
from urllib.parse import parse_qs

import pytest

from lakekey._single_flight import Commitment
from lakekey.errors import LakekeyError, LoginDenied, LoginFailed, TokenEndpointError
from lakekey.oauth import device
from lakekey.oauth.client import Client
from lakekey.oauth.discovery import Metadata
from lakekey.oauth.transport import Transport
from support.program import environment, lakekey
from support.tls import write_certificates


class Proxy:
    """A forward proxy that knows CONNECT only, and remembers who was asked for."""

    def __init__(self):
        self.asked = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self._listener.accept()[0],), daemon=True).start()

    def _serve(self, client):
        with client, contextlib.suppress(OSError):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += client.recv(1)
            method, where, _ = head.split(b"\r\n")[0].decode().split()
            assert method == "CONNECT"
            self.asked.append(where)
            host, _, port = where.rpartition(":")
            with socket.create_connection((host, int(port))) as server:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while True:
                    for source in select.select([client, server], [], [])[0]:
                        if not (chunk := source.recv(65536)):
                            return
                        (server if source is client else client).sendall(chunk)


@pytest.fixture
def settings(oidc_server, tmp_path):
    return environment(oidc_server, tmp_path / "cache", NO_PROXY="", no_proxy="")


def login_and_logout(server, settings, *arguments):
    with lakekey("login", *arguments, environment=settings) as program:
        server.sign_in(program.url())
        status, _, errors = program.ends()
    assert status == 0, errors
    with lakekey("logout", "--json", *arguments, environment=settings) as program:
        status, output, errors = program.ends()
    assert (status, json.loads(output)["revocation"]) == (0, "revoked"), errors


def test_every_call_goes_through_the_proxy(oidc_server, settings):
    with Proxy() as proxy:
        login_and_logout(oidc_server, {**settings, "HTTPS_PROXY": proxy.url})
    # discovery, which logout remembers from login, the code's exchange, the revocation
    made = [route for route in ("config", "discovery", "token", "revoke") for _ in oidc_server.log(route)]
    assert len(proxy.asked) == len(made) == 4
    assert set(proxy.asked) == {oidc_server.host.removeprefix("https://")}


def test_no_proxy_is_honoured(oidc_server, settings):
    with Proxy() as proxy:
        login_and_logout(oidc_server, {**settings, "HTTPS_PROXY": proxy.url, "NO_PROXY": "127.0.0.1"})
    assert proxy.asked == []


def test_a_proxy_that_is_down_is_named(settings):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with lakekey("login", environment={**settings, "HTTPS_PROXY": dead}) as program:
        status, _, errors = program.ends()
    assert status == 1
    assert "HTTPS_PROXY" in errors


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_private_ca_is_read_from_any_of_the_usual_variables(oidc_server, settings, variable):
    login_and_logout(oidc_server, {**settings, "REQUESTS_CA_BUNDLE": "", variable: oidc_server.ca_file})


def test_a_private_ca_of_the_profile_comes_before_the_environments(oidc_server, settings, tmp_path):
    (tmp_path / "other").mkdir()
    other = write_certificates(tmp_path / "other").ca
    settings = {**settings, "REQUESTS_CA_BUNDLE": str(other)}
    login_and_logout(oidc_server, settings, "--ca-file", oidc_server.ca_file)


def test_an_unknown_ca_is_refused_with_the_setting_that_helps(settings):
    with lakekey("login", environment={**settings, "REQUESTS_CA_BUNDLE": ""}) as program:
        status, _, errors = program.ends()
    assert status == 1
    assert "TLS with" in errors
    assert "--ca-file" in errors


class TokenEndpoint:
    """A token endpoint of our own, for what the certified server does not do."""

    def __init__(self, directory, answer, *, client_ca=None):
        endpoint = self
        self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                endpoint.requests.append((dict(self.headers), form))
                status, body = answer(self.headers, form)
                payload = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_):
                pass

        self.certificates = write_certificates(directory)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificates.cert, self.certificates.key)
        if client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_ca)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *_: None
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}/token"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def client(self, **options):
        transport = Transport(ca_file=str(self.certificates.ca), **options)
        return Client("app", None, ("all-apis",), transport, lambda: Metadata("i", self.url, self.url))


def soon():
    return time.monotonic() + 20


GOOD = {"access_token": "a-token", "token_type": "Bearer", "expires_in": 60}


def test_a_server_that_wants_a_client_certificate_is_shown_one(tmp_path):
    (tmp_path / "own").mkdir()
    own = write_certificates(tmp_path / "own", for_client=True)
    pair = (str(own.cert), str(own.key))
    (tmp_path / "server").mkdir()
    with TokenEndpoint(tmp_path / "server", lambda *_: (200, GOOD), client_ca=own.ca) as endpoint:
        answer = endpoint.client(client_certificate=pair).token_request({"grant_type": "x"}, deadline=soon())
        assert answer.access_token == "a-token"
        with pytest.raises(TokenEndpointError):
            endpoint.client().token_request({"grant_type": "x"}, deadline=soon())


def test_entra_gets_the_origin_it_asks_for_and_only_then(tmp_path):
    """Entra ID redeems a single-page application's code for a cross-origin request only."""

    def answer(headers, form):
        if form["code"] == ["of-a-spa"] and "Origin" not in headers:
            return 400, {"error": "invalid_request", "error_description": "AADSTS9002327: Tokens issued for …"}
        return 200, GOOD

    with TokenEndpoint(tmp_path, answer) as endpoint:
        form = {"grant_type": "authorization_code", "redirect_uri": "http://localhost:8020/x"}
        client = endpoint.client()
        assert client.token_request({**form, "code": "of-a-native-app"}, deadline=soon()).access_token == "a-token"
        assert "Origin" not in endpoint.requests[0][0]
        assert client.token_request({**form, "code": "of-a-spa"}, deadline=soon()).access_token == "a-token"
        assert endpoint.requests[2][0]["Origin"] == "http://localhost:8020"


def test_no_error_repeats_a_secret_that_the_server_echoes(tmp_path):
    def answer(_, form):
        return 400, {"error": "invalid_request", "error_description": f"cannot use {form['code'][0]}"}

    with TokenEndpoint(tmp_path, answer) as endpoint, pytest.raises(LakekeyError) as failure:
        endpoint.client().token_request({"grant_type": "x", "code": "c0de"}, deadline=soon(), hidden=("c0de",))
    assert "c0de" not in str(failure.value)


def polled(directory, *answers, patience=20.0):
    """What polling for a device code ends in, when the server answers like this."""
    waiting, commitment = list(answers), Commitment()
    with TokenEndpoint(directory, lambda *_: waiting.pop(0)) as endpoint:
        code = device.DeviceCode("the-device-code", "ABCD", "https://w.example.com/device", 0.01, soon())
        try:
            return device.poll(endpoint.client(), code, commitment, time.monotonic() + patience)
        finally:
            commitment.settled()  # as the flight does that it belongs to
            assert {form["device_code"][0] for _, form in endpoint.requests} == {"the-device-code"}
            assert waiting == []


def refused(error):
    return 400, {"error": error}


def test_a_device_code_is_asked_about_until_the_person_is_done(tmp_path):
    pending = refused("authorization_pending")
    assert polled(tmp_path, pending, pending, (200, GOOD)).access_token == "a-token"


def test_a_server_that_asks_to_slow_down_is_asked_less_often(tmp_path):
    """RFC 8628 §3.5: five seconds more, which this sign-in has not got."""
    began = time.monotonic()
    assert polled(tmp_path, refused("slow_down"), patience=4.0) is None
    assert time.monotonic() - began < 4.0


@pytest.mark.parametrize(
    ("error", "kind"),
    [("access_denied", LoginDenied), ("expired_token", LoginFailed), ("invalid_grant", LoginFailed)],
)
def test_a_device_code_that_is_refused_ends_the_login(tmp_path, error, kind):
    with pytest.raises(kind) as failure:
        polled(tmp_path, refused(error))
    assert "the-device-code" not in str(failure.value)


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({"refresh_token_expires_in": 60}, 60.0),
        ({"refresh_expires_in": "60"}, 60.0),
        ({"refresh_token_expires_in": "soon", "refresh_expires_in": 60}, 60.0),
        ({"refresh_token_expires_in": -1}, None),
        ({"refresh_token_expires_in": True}, None),
        ({"refresh_token_expires_in": [60]}, None),
        ({}, None),
    ],
)
def test_the_refresh_tokens_end_is_read_where_it_is_told(tmp_path, fields, seconds):
    with TokenEndpoint(tmp_path, lambda *_: (200, {**GOOD, **fields})) as endpoint:
        assert endpoint.client().token_request({"grant_type": "x"}, deadline=soon()).refresh_lifetime == seconds
