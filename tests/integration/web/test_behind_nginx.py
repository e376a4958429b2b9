"""``lakekey web`` with two workers behind a real proxy: who is believed, which path it is asked for, what it is sent."""

import os
import socket

import pytest

from support.servers.nginx import nginx
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
