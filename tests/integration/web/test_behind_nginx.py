"""``lakekey web`` with two workers behind a real proxy: who is believed, which path it is asked for, what it is sent."""

import os
import re
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from support.servers.nginx import Nginx, nginx
from support.servers.web_front import WebFront
from support.web_browser import Browser

from .conftest import ADA, GRACE, URL
from .test_commands import a_port, served

pytestmark = pytest.mark.skipif(nginx() is None and not os.environ.get("LAKEKEY_REQUIRE_ALL"), reason="no nginx here")
ROOT = "root@example.com"
HOST = "Host: portal.example.com"


@pytest.fixture
def front(place, tmp_path):
    port = a_port()
    given = ("--url", URL, "--user-header", "X-User", "--trusted-peer", "127.0.0.1", "--workers", "2", "--admin", ROOT)
    with served(tmp_path, port, *given), WebFront(tmp_path / "nginx", port) as front:
        yield front


def visitor(front, place, port, name):
    """The browser of a person that the proxy has signed in."""
    browser = Browser(f"http://127.0.0.1:{port}", None, place.box.ca_file)
    browser.cookies["sso"] = name
    return browser


def asked(port, line, *headers):
    """The answer to a request that is sent as it is written: its status, and the rest."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        request = [line, *headers, *(["Connection: close"] if line.endswith("1.1") else []), "", ""]
        connection.sendall("\r\n".join(request).encode("latin-1"))
        said = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    return int(said.split(" ", 2)[1]), said


def test_people_connect_behind_a_proxy_that_leaves_the_path_and_behind_one_that_takes_it_off(front, place):
    for port, name in ((front.plain, "ada"), (front.stripping, "grace")):
        browser = visitor(front, place, port, name)
        assert f"prod is connected as {name}@example.com." in browser.connect(signs_in=f"{name}@example.com").words
    assert len(place.token_requests()) == 2


def test_header_of_a_visitor_counts_nowhere_but_behind_a_proxy_that_forgets_it(front, place):
    for headers in ({"X-User": ROOT}, {"x-user": ROOT}, {"X_User": ROOT}, {"X-User": f"{ROOT}, {ROOT}"}):
        for port in (front.plain, front.stripping):
            ada = visitor(front, place, port, "ada")
            assert f'"user":"{ADA}"' in ada.get("/connections", headers=headers).text
            assert ada.get("/admin", headers=headers).status == 404
        stranger = visitor(front, place, front.plain, "")
        assert stranger.get("/connections", headers=headers).status == 401
    # What the guide says of a proxy that does not take the header off, and how far that goes: one header, by its name.
    careless = visitor(front, place, front.careless, "ada")
    assert f'"user":"{GRACE}"' in careless.get("/connections", headers={"X-User": GRACE}).text
    for headers in ({"X_User": ROOT}, {"X-User": f"{GRACE}, {ROOT}"}):
        assert careless.get("/connections", headers=headers).status == 401


def test_odd_requests_are_answered_and_none_is_another_page_or_leads_elsewhere(front, place):
    ada = "Cookie: sso=ada"
    forwarded = [f"X-Forwarded-{name}: evil.example" for name in ("Host", "Prefix", "Proto", "For", "Server")]
    odd = {
        ("GET /lakekey/ HTTP/1.0", ada): 200,
        ("HEAD /lakekey/ HTTP/1.1", HOST, ada): 200,
        ("OPTIONS /lakekey/ HTTP/1.1", HOST, ada): 405,
        ("PUT /lakekey/disconnect/prod HTTP/1.1", HOST, ada, "Content-Length: 0"): 405,
        ("GET /lakekey//admin HTTP/1.1", HOST, ada): 404,
        ("GET /lakekey/admin;x HTTP/1.1", HOST, ada): 404,
        ("GET /lakekey/callback/%ff%fe?code=%ff HTTP/1.1", HOST, ada): 400,
        ("GET http://evil.example/lakekey/ HTTP/1.1", HOST, ada): 200,
        ("GET /lakekey/ HTTP/1.1", HOST, f"{ada}; a={'x' * 7000}"): 200,
        ("GET /lakekey/ HTTP/1.1", HOST, f'{ada}; \xff=\x80; =; ;;; "__Host-Http-lakekey"=x'): 200,
        ("GET /lakekey/ HTTP/1.1", HOST, ada, "Accept-Language: de;q=nan, en;q=inf, \xff"): 200,
        ("GET /lakekey/ HTTP/1.1", HOST, ada, *forwarded, "X-Original-URL: /lakekey/admin"): 200,
        ("GET /lakekey/ HTTP/1.1", HOST, ada, "X-HTTP-Method-Override: DELETE", "Forwarded: host=evil.example"): 200,
    }
    for port in (front.plain, front.stripping):
        for request, status in odd.items():
            answered, said = asked(port, *request)
            assert answered == status, (port, request)
            assert "evil.example" not in said
            assert "location:" not in said.lower()
            assert (f"You are here as {ADA}" in said) == (status == 200 and not request[0].startswith("HEAD"))


class SingleSignOn(BaseHTTPRequestHandler):
    """Stands for oauth2-proxy: 202 and the mail address, or 401, to the question who a visitor is."""

    def do_GET(self):
        person = re.search(r"sso=([a-z]+)", self.headers.get("Cookie", ""))
        self.send_response(202 if person else 401)
        if person:
            self.send_header("X-Auth-Request-Email", f"{person[1]}@example.com")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Nothing."""


@contextmanager
def nginx_of_the_guide(directory, portal):
    """nginx with what the page shows, in clear at a port of loopback; gives that port."""
    page = (Path(__file__).parents[3] / "docs" / "guides" / "portal-service.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```nginx\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    port, directory = a_port(), directory / "nginx"
    directory.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), SingleSignOn) as single_sign_on:
        threading.Thread(target=single_sign_on.serve_forever, daemon=True).start()
        here = re.sub(r"^ *ssl_certificate.*\n", "", shown, flags=re.MULTILINE)
        for given, used in {
            "listen 443 ssl": f"listen 127.0.0.1:{port}",
            "/var/log/nginx": str(directory),
            "127.0.0.1:4180": f"127.0.0.1:{single_sign_on.server_port}",
            "127.0.0.1:8030": f"127.0.0.1:{portal}",
        }.items():
            assert given in here
            here = here.replace(given, used)
        try:
            with Nginx(directory, here):
                yield port
        finally:
            single_sign_on.shutdown()


def test_nginx_of_the_guide_signs_people_in_believes_no_visitor_and_logs_no_code(place, tmp_path):
    portal = a_port()
    given = ("--url", URL, "--user-header", "X-Forwarded-Email", "--trusted-peer", "127.0.0.1", "--workers", "2")
    with served(tmp_path, portal, *given), nginx_of_the_guide(tmp_path, portal) as port:
        stranger = visitor(None, place, port, "")
        page = stranger.get(headers={"X-Forwarded-Email": ADA})
        assert (page.status, page.headers["Location"].endswith("/oauth2/sign_in")) == (302, True)
        ada = visitor(None, place, port, "ada")
        assert f'"user":"{ADA}"' in ada.get("/connections", headers={"X-Forwarded-Email": ROOT}).text
        answer = ada.back(ada.leave(), ADA)
        signed_in = ada.cookies.pop("sso")  # as a session that is SameSite=Strict
        onward = ada.request("GET", answer).onward
        ada.cookies["sso"] = signed_in
        assert f"prod is connected as {ADA}." in ada.arrive(onward).words
    log = (tmp_path / "nginx" / "access.log").read_text()
    assert '"GET /lakekey/callback/portal-app" 200' in log
    assert not re.search("code=|state=|flow=", log + (tmp_path / "nginx" / "error.log").read_text())
