"""Sign-ins on the page itself and in a tab of their own, in a real browser, with providers that cut their windows off."""

import socket

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from lakekey.cache.opening import open_cache
from lakekey.web import Portal
from lakekey.web.registrations import Registrations
from support.waiting import until
from support.web_server import free_socket, serving

from .conftest import ADA
from .test_portal_chromium import CONNECT, connect, person, pytestmark, sign_in

__all__ = ["pytestmark"]
PATIENCE = 60.0


@pytest.fixture
def site(request, place, tmp_path):
    """A host application with the portal in it; gives its address and the portal."""
    host = "[::1]" if getattr(request, "param", "") == "new tab by IPv6" else "127.0.0.1"
    listener = socket.create_server((host.strip("[]"), 0), family=socket.AF_INET6) if ":" in host else free_socket()
    address = f"http://{host}:{listener.getsockname()[1]}"
    Registrations(open_cache()).remove(place.app)
    place.named("chromium-app", f"{address}/lakekey").register()
    new_tab = getattr(request, "param", "new tab") != "same page"
    portal = Portal(
        ["prod"], url=f"{address}/lakekey", user=lambda request: request.cookies.get("host"), new_tab=new_tab
    )
    app = Starlette(routes=[Route("/sign-in/{name}", sign_in), Mount("/lakekey", app=portal)])
    # As real ones do, the provider's pages cut themselves off from whatever has opened them.
    place.box.fault("authorize", headers={"Cross-Origin-Opener-Policy": "same-origin"}, times=None)
    with serving(app, listener):
        yield address, portal


def new_tab(browser):
    """Presses the button, and goes to the tab that it opens; returns both."""
    (first,) = browser.tabs()
    browser.choose(CONNECT)
    until(lambda: len(browser.tabs()) > 1, pause=0.02)
    (second,) = set(browser.tabs()) - {first}
    browser.turn_to(second)
    return first, second


@pytest.mark.parametrize("site", ["same page"], indirect=True)
def test_b21_provider_that_cuts_itself_off_returns_to_the_same_page(site, place, tmp_path):
    with person(site, place, tmp_path / "ada", ADA) as ada:
        connect(ada, ADA)
        ada.reads(f"prod is connected as {ADA}.")
        assert len(ada.tabs()) == 1
        assert ada.script("return document.scripts.length") == 0


@pytest.mark.parametrize("site", ["new tab", "new tab by IPv6"], indirect=True)
def test_w19_tab_that_stays_learns_of_a_sign_in_that_has_no_opener(site, place, tmp_path):
    with person(site, place, tmp_path / "ada", ADA) as ada:
        assert "Connect prod (opens a new tab)" in ada.text()
        assert ada.findings() == []
        first, second = new_tab(ada)
        ada.is_asked()
        assert ada.script("return window.opener") is None
        ada.signs_in(ADA)
        ada.reads(f"prod is connected as {ADA}.")
        ada.turn_to(first)
        assert "Connected" in ada.reads("Renew prod now")
        assert ada.complaints() == []
        ada.turn_to(second)
        assert f"prod is connected as {ADA}." in ada.text()  # and is not taken away by what it has told


def test_w19_tab_that_stays_has_a_link_where_scripts_do_not_run(site, place, tmp_path):
    with person(site, place, tmp_path / "ada", ADA, scripts=False) as ada:
        first, _ = new_tab(ada)
        ada.signs_in(ADA)
        ada.reads(f"prod is connected as {ADA}.")
        ada.turn_to(first)
        assert "Not connected" in ada.text()
        ada.click("noscript a")
        ada.reads("Renew prod now")


def test_b22_tab_that_is_closed_half_way_leaves_text_and_button_where_they_were(site, place, tmp_path):
    with person(site, place, tmp_path / "ada", ADA) as ada:
        first, _ = new_tab(ada)
        ada.is_asked()
        ada.close_tab()
        ada.turn_to(first)
        assert "Not connected" in ada.reads("Connect prod")
        connect_again, _ = new_tab(ada)
        assert connect_again == first
        ada.is_asked()
