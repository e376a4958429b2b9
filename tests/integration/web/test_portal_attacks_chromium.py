"""Attacks on a sign-in by other sites, a sibling site, another browser and another server, in a real browser.

The portal is at ``https://app.shop.test``; the attacker has ``sibling.shop.test``, whose pages are of the same site, and
``evil.test``.
"""

import random
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Host, Mount, Route

from lakekey.cache.app_registrations import AppRegistration
from lakekey.cache.opening import open_cache
from lakekey.sandbox import Sandbox
from lakekey.web import Portal, return_path
from lakekey.web.browser import COOKIE, LOOPBACK_COOKIE
from lakekey.web.registrations import Registrations
from support.tls import write_certificates
from support.web_browser import Browser
from support.web_chromium import PortalChromium
from support.web_server import free_socket, serving

from .conftest import ADA, GRACE, Place
from .test_portal_chromium import CONNECT, connect, pytestmark, sign_in

__all__ = ["pytestmark"]
SIBLING, EVIL = "sibling.shop.test", "evil.test"
#: What return addresses are made of that lead elsewhere in some parser.
PIECES = (
    "/",
    "\\",
    "//",
    ".",
    "..",
    "%2f",
    "%5c",
    "%00",
    "\t",
    "\n",
    ":",
    "@",
    "?",
    "#",
    ";",
    " ",
    "https:",
    "a",
    EVIL,
)


class Shop:
    """The host application with the portal, and the attacker's sites beside it, on one port.

    Args:
        place: The sandbox and its profile.
        directory: For keys.
        others: Further servers that browsers are to trust.
    """

    def __init__(self, place, directory):
        self.place, self.directory = place, directory
        self.listener = free_socket()
        self.port = self.listener.getsockname()[1]
        self.origin = f"https://app.shop.test:{self.port}"
        self.trusted = [place.box.host]
        self.pages, self.planted = {}, []
        Registrations(open_cache()).remove(place.app)
        self.own = Place(place.box, directory, "chromium-app", url=f"{self.origin}/lakekey")
        self.own.register()

    @contextmanager
    def open(self, *profiles):
        """Serves them, and a second door for programs, which play the attacker's browser."""
        self.portal = Portal(profiles or ["prod"], url=f"{self.origin}/lakekey", user=who, admin=[ADA])
        shop = Starlette(
            routes=[Route("/sign-in/{name}", sign_in), Route("/seen", seen), Mount("/lakekey", app=self.portal)]
        )
        attacker = Starlette(routes=[Route("/{path:path}", self._attack)])
        sites = Starlette(
            routes=[Host("app.shop.test", app=shop), Host(SIBLING, app=attacker), Host(EVIL, app=attacker)]
        )
        certificates = write_certificates(self.directory)
        tls = {"ssl_certfile": str(certificates.cert), "ssl_keyfile": str(certificates.key)}
        with serving(sites, self.listener, **tls), serving(sites) as self.door:
            yield self

    async def _attack(self, request: Request):
        answer = HTMLResponse(f'<link rel="icon" href="data:,">{self.pages[request.url.path]}')
        answer.raw_headers += [(b"set-cookie", cookie.encode()) for cookie in self.planted]
        return answer

    @contextmanager
    def person(self, name):
        """A person's browser, signed in to the host application."""
        directory = self.directory / name
        directory.mkdir()
        with AtTheSites(directory, [f"https://127.0.0.1:{self.port}", *self.trusted]) as browser:
            browser.open(f"{self.origin}/sign-in/{name}")
            yield browser

    def attack(self, browser, site, page, cookies=()):
        """The attacker's page, which a browser opens."""
        self.pages["/page"], self.planted = page, cookies
        browser.open(f"https://{site}:{self.port}/page")


class AtTheSites(PortalChromium):
    """A browser that finds the sites on this machine."""

    def _capabilities(self, browser):
        given = super()._capabilities(browser)
        rules = f"--host-resolver-rules=MAP *.shop.test 127.0.0.1, MAP {EVIL} 127.0.0.1"
        given["goog:chromeOptions"]["args"].append(rules)
        return given


def who(request):
    return request.cookies.get("host") or request.headers.get("x-user")


async def seen(request):
    return PlainTextResponse(request.headers.get("cookie", ""))


@pytest.fixture
def shop(place, tmp_path):
    with Shop(place, tmp_path).open() as shop:
        yield shop


def test_cookie_that_a_sibling_site_plants_never_reaches_the_portal_and_ties_no_sign_in(shop, place):
    grace = Browser(shop.door, GRACE, place.box.ca_file, origin=shop.origin)
    answer = grace.back(grace.leave())  # of the attacker's own sign-in, for the victim to take over
    value = grace.cookies[COOKIE]
    planted = [
        f"{COOKIE}={value}; Domain=shop.test; Path=/; Secure; HttpOnly",
        f"{COOKIE}={value}; Domain=shop.test; Path=/lakekey/callback; Secure",
        f"{COOKIE.lower()}={value}; Domain=shop.test; Path=/; Secure",
        f"={COOKIE}={value}; Domain=shop.test; Path=/; Secure",
        f"{LOOPBACK_COOKIE}={value}; Domain=shop.test; Path=/",
    ]
    with shop.person(ADA) as ada:
        shop.attack(ada, SIBLING, "planted", planted)
        ada.open(f"{shop.origin}/seen")
        cookies = ada.text()
        assert f"{LOOPBACK_COOKIE}={value}" in cookies  # planting does work, where a name has no prefix
        assert f"{COOKIE}=" not in cookies
        ada.open(f"{shop.origin}{answer}")
        ada.reads("Your browser did not send the cookie that the sign-in started with.")
        ada.open(f"{shop.origin}/lakekey/")
        shop.attack(ada, SIBLING, f"<script>location = '{shop.origin}{answer}'</script>")
        ada.reads("This sign-in was started in another browser. Nothing was connected.")
        assert not place.token_requests()
        ada.open(f"{shop.origin}/lakekey/")
        connect(ada, ADA)
        ada.reads(f"prod is connected as {ADA}.")


def test_pages_of_other_sites_change_nothing_frame_nothing_and_are_led_to_by_nothing(shop, place):
    portal = shop.portal
    with shop.person(ADA) as ada:
        ada.open(f"{shop.origin}/lakekey/")
        connect(ada, ADA)
        ada.reads(f"prod is connected as {ADA}.")
        begun = len(place.box.log)
        for site in (SIBLING, EVIL):
            for action in ("disconnect/prod", "connect/prod", "admin"):
                form = (
                    f'<form method="post" action="{shop.origin}/lakekey/{action}"><input name="do" value="remove-user">'
                )
                shop.attack(ada, site, f"{form}</form><script>document.forms[0].submit()</script>")
                ada.reads("The request came from another site, so nothing was done.")
            for path in ("/lakekey/", "/lakekey/admin", "/lakekey/callback/chromium-app?code=c&state=s"):
                shop.attack(ada, site, "framed")
                ada.framed(f"{shop.origin}{path}")
                assert "Databricks" not in ada.text()
        assert portal.connection(ADA, "prod").state == "connected"
        assert len(place.box.log) == begun
        for path in (f"//{EVIL}", f"/%2f{EVIL}", f"/..//{EVIL}", f"/finish?flow=x&return_to=//{EVIL}", f"/\\{EVIL}/"):
            ada.open(f"{shop.origin}/lakekey{path}")
            assert urlsplit(ada.address).netloc == urlsplit(shop.origin).netloc
        # What passes for a path of this host is one to the browser's own parser, too.
        chance = random.Random(16)
        texts = {"".join(chance.choices(PIECES, k=chance.randint(1, 6))) for _ in range(20_000)}
        passed = [text for each in texts if (text := return_path.checked("/" + each))]
        assert len(passed) > 100
        script = "return arguments[0].filter(each => new URL(each, location.href).host != location.host)"
        assert ada.script(script, passed) == []


def test_answer_that_is_taken_off_the_way_is_worth_nothing_in_another_browser_before_and_after(shop, place):
    with shop.person(ADA) as ada, shop.person(GRACE) as grace:
        ada.open(f"{shop.origin}/lakekey/")
        ada.choose(CONNECT)
        ada.reads("Who are you?")
        stolen = place.consent(ada.address, ADA)
        grace.open(f"{shop.origin}/lakekey/")
        grace.open(stolen)
        grace.reads("This sign-in was started in another browser. Nothing was connected.")
        assert not place.token_requests()
        ada.open(stolen)
        ada.reads(f"prod is connected as {ADA}.")
        finished = ada.address
        for address in (stolen, finished):
            grace.open(address)
            assert "is connected" not in grace.reads("Nothing was connected." if address == stolen else "start again")
        ada.open(stolen)
        ada.reads(f"prod is connected as {ADA}.")
        assert len(place.token_requests()) == 1
        assert shop.portal.connection(GRACE, "prod").state == "not-connected"


def test_server_that_sends_its_sign_ins_on_to_another_server_gets_no_code_of_that(place, tmp_path):
    """The mix-up attack (RFC 9700 §4.4): the person begins at the attacker's server, and signs in at the honest one."""
    shop = Shop(place, tmp_path)
    with Sandbox(users=[ADA]) as attackers:
        shop.trusted.append(attackers.host)
        callback = f"{shop.origin}/lakekey/callback/other-app"
        attackers.register_client("other-app", client_secret="x" * 20, redirect_uris=[callback])
        Registrations(open_cache()).add(
            AppRegistration("other-app", "other-app", hosts=(attackers.host,), secret="x" * 20, redirect_uri=callback)
        )
        text = place.config_file.read_text()
        place.config_file.write_text(f"{text}[other]\nhost = {attackers.host}\nca_file = {attackers.ca_file}\n")
        # A client of the honest server that lets answers go to the attacker's callback: then it is up to `iss`.
        place.box.register_client("loose", redirect_uris=[callback])
        with shop.open("prod", "other"), shop.person(ADA) as ada:
            own = shop.own.redirect_uri
            for client, redirect_uri in (("chromium-app", own), ("loose", callback)):
                attackers.fault("authorize", status=200, body=sent_on(place.box.host, client, redirect_uri))
                ada.open(f"{shop.origin}/lakekey/")
                ada.choose(CONNECT.replace("prod", "other"))
                ada.reads("Who are you?")
                assert ada.address.startswith(place.box.host)
                ada.choose(f'input[value="{ADA}"]')
                ada.choose('button[value="sign-in"]')
                ada.reads("The answer comes from another server than the sign-in was sent to. Nothing was connected.")
            assert not place.token_requests()
            assert not [record for record in attackers.log if record.route == "token"]


def sent_on(host, client, redirect_uri):
    """A page of the attacker's server that sends a request on, as one of an honest client."""
    return (
        "<script>const sent = new URLSearchParams(location.search);"
        f"sent.set('client_id', '{client}'); sent.set('redirect_uri', '{redirect_uri}');"
        f"location = '{host}/oidc/v1/authorize?' + sent</script>"
    )
