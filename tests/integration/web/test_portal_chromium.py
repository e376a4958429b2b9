"""The portal's page in a real browser: two people, their keyboards and screens, and axe-core's rules."""

import os
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

from lakekey.cache.opening import open_cache
from lakekey.web import Portal
from lakekey.web.registrations import Registrations
from support.chromium import chromium
from support.web_chromium import ENTER, TAB
from support.web_server import free_socket, serving

from .conftest import ADA, GRACE

pytestmark = pytest.mark.skipif(
    chromium() is None and not os.environ.get("LAKEKEY_REQUIRE_ALL"), reason="Chromium and its driver are not here"
)
DOCS = Path(__file__).parents[3] / "docs" / "guides"
RENEW_SCREENSHOTS = bool(os.environ.get("LAKEKEY_SCREENSHOTS"))  # read now: tests see no LAKEKEY_ variables
FOLDS = "document.querySelectorAll('details').forEach(each => each.open = true)"
CONNECT = 'form[action$="/connect/prod"] button'


def sign_in(request):
    """The host application's own sign-in: its session is not sent from other sites."""
    answer = HTMLResponse('<link rel="icon" href="data:,"><p>welcome</p>')
    answer.set_cookie("host", request.path_params["name"], samesite="strict", httponly=True)
    return answer


@pytest.fixture
def site(place, tmp_path):
    """A host application with a ``SameSite=Strict`` session and the portal in it; gives its address and the portal."""
    listener = free_socket()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    Registrations(open_cache()).remove(place.app)
    place.named("chromium-app", f"{address}/lakekey").register()
    portal = Portal(["prod"], url=f"{address}/lakekey", user=lambda request: request.cookies.get("host"), admin=[ADA])
    app = Starlette(routes=[Route("/sign-in/{name}", sign_in), Mount("/lakekey", app=portal)])
    with serving(app, listener):
        yield address, portal


@contextmanager
def person(site, place, directory, name, **options):
    """A person's browser, signed in to the host application, on the portal's page."""
    address, _ = site
    directory.mkdir(exist_ok=True)
    with place.chromium(directory, **options) as browser:
        browser.open(f"{address}/sign-in/{name}")
        browser.open(f"{address}/lakekey/")
        yield browser


def connect(browser, user):
    browser.choose(CONNECT)
    browser.signs_in(user)


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_b16_person_whose_host_session_is_strict_connects(site, place, tmp_path, scripts):
    with person(site, place, tmp_path / "ada", ADA, scripts=scripts) as ada:
        connect(ada, ADA)
        page = ada.reads(f"prod is connected as {ADA}.")
        assert "code=" not in ada.address
        assert f"You are here as {ADA}." in page
        assert ada.complaints() == []


def test_b18_two_people_in_two_browser_profiles_are_each_themselves(site, place, tmp_path):
    _, portal = site
    with person(site, place, tmp_path / "ada", ADA) as ada, person(site, place, tmp_path / "grace", GRACE) as grace:
        connect(grace, GRACE)
        connect(ada, ADA)
        grace.reads(f"prod is connected as {GRACE}.")
        ada.reads(f"prod is connected as {ADA}.")
    headers = [portal.provider(user, "prod").headers() for user in (ADA, GRACE)]
    assert headers[0] != headers[1]


def test_b22_person_who_leaves_half_way_finds_everything_as_it_was(site, place, tmp_path):
    address, _ = site
    with person(site, place, tmp_path / "ada", ADA) as ada:
        ada.choose(CONNECT)
        ada.is_asked()
        ada.open(f"{address}/lakekey/")
        assert "Not connected" in ada.reads("Databricks connections")
        ada.choose(CONNECT)
        ada.is_asked()
        ada.cancels()
        ada.reads("The sign-in was not allowed. Nothing was changed.")


def test_b32_page_does_not_show_in_a_frame_of_another_page(site, place, tmp_path):
    address, _ = site
    with person(site, place, tmp_path / "ada", ADA) as ada:
        ada.open(f"{address}/sign-in/{ADA}")
        ada.framed(f"{address}/lakekey/")
        assert "Databricks connections" not in ada.text()


def test_b51_page_passes_axe_in_both_themes_states_and_languages(site, place, tmp_path):
    with person(site, place, tmp_path / "ada", ADA) as ada:
        for language, words in (("de", "Databricks-Verbindungen"), ("en", "Databricks connections")):
            ada.language(language)
            ada.open(f"{site[0]}/lakekey/")
            ada.reads(words)
            for scheme in ("light", "dark"):
                ada.media(prefers_color_scheme=scheme)
                assert ada.findings() == []
        connect(ada, GRACE)
        ada.reads("Is this you?")
        for scheme in ("light", "dark"):
            ada.media(prefers_color_scheme=scheme)
            assert ada.findings() == []
            keep(ada, f"portal-question-{scheme}")
        ada.choose('form:has(input[name="accept"][value="yes"]) button')
        ada.reads(f"prod is connected as {GRACE}.")
        for scheme in ("light", "dark"):
            ada.media(prefers_color_scheme=scheme)
            assert ada.findings() == []
            keep(ada, f"portal-page-{scheme}", height=640)  # with the buttons
        ada.open(f"{site[0]}/lakekey/admin")
        ada.reads("Connections of all users")
        for scheme in ("light", "dark"):
            ada.media(prefers_color_scheme=scheme)
            keep(ada, f"portal-administration-{scheme}", height=1240)
            unfold(ada)
            assert ada.findings() == []
            ada.script(FOLDS.replace("true", "false"))
        unfold(ada)
        ada.media(prefers_color_scheme="light", forced_colors="active", prefers_reduced_motion="reduce")
        assert ada.findings() == []
        ada.script("document.documentElement.removeAttribute('lang')")
        assert [finding.partition(":")[0] for finding in ada.findings()] == ["html-has-lang"]  # the rules do run


def keep(browser, name, *, height=None):
    """Renews a picture of the guide, where that is asked for."""
    if RENEW_SCREENSHOTS:
        if height is not None:
            browser.size(900, height)
        (DOCS / f"{name}.png").write_bytes(browser.screenshot())


def test_b51_pages_fit_narrow_screens_and_large_text(site, place, tmp_path):
    with person(site, place, tmp_path / "ada", ADA) as ada:
        assert fits(ada)
        connect(ada, GRACE)
        ada.reads("Is this you?")
        assert fits(ada)
        ada.choose('form:has(input[name="accept"][value="yes"]) button')
        ada.reads("is connected")
        assert fits(ada)
        ada.open(f"{site[0]}/lakekey/admin")
        ada.reads("Connections of all users")
        unfold(ada)
        assert fits(ada)
        ada.size(1280)
        columns = "return [...document.querySelectorAll('dl')].map(each => getComputedStyle(each).gridTemplateColumns)"
        found = [each.split()[0] for each in ada.script(columns)]
        assert len(found) > 1
        assert len(set(found)) == 1  # what is told of an app and of a connection stands in line


def unfold(browser):
    """Opens all folds of a page."""
    browser.script(FOLDS)


def fits(browser):
    """Whether nothing of the page is cut off, and all can be hit, at 320 pixels and with text of 200 %."""
    for width, zoom in ((320, 1.0), (1280, 2.0), (640, 2.0)):
        browser.size(width, zoom=zoom)
        across = browser.script("return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert across[0] <= across[1], browser.address
        heights = browser.script(
            "return [...document.querySelectorAll('button, summary, input:not([type=hidden])')].map(each => each.offsetHeight)"
        )
        assert min(heights) >= 24  # WCAG 2.2, 2.5.8
    return True


def test_b51_keyboard_alone_connects_and_focus_is_on_what_has_happened(site, place, tmp_path):
    with person(site, place, tmp_path / "ada", ADA) as ada:
        ada.press(TAB)
        assert ada.script("return document.activeElement.textContent") == "Connect prod"
        assert ada.script("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
        ada.press(ENTER)
        ada.reads("Who are you?")
        ada.choose('button[value="sign-in"]')
        ada.reads("is connected")
        assert ada.script("return document.activeElement.getAttribute('role')") == "status"


def test_administrator_registers_tries_and_removes_an_app_without_scripts(site, place, tmp_path):
    address, portal = site
    place.box.register_client(
        "second-app", client_secret="a-secret-of-it", redirect_uris=[f"{address}/lakekey/callback/second"],
        grants=("authorization_code", "refresh_token"),
    )  # fmt: skip
    with person(site, place, tmp_path / "ada", ADA, scripts=False) as ada:
        connect(ada, ADA)
        ada.reads("is connected")
        ada.open(f"{address}/lakekey/admin")
        ada.choose('details:has(input[name="client_id"]) > summary')
        typed = {"name": "second", "client_id": "second-app", "host": place.box.host, "secret": "a-secret-of-it"}
        for name, text in typed.items():
            ada.type(f"#new-{name}", text)
        ada.choose('details details:has(input[name="session_minutes"]) > summary')
        ada.type("#new-session_minutes", "43200")
        ada.choose("#new-default")
        ada.choose('form:has(input[name="client_id"]) > button')
        ada.reads("Connections that would end: 1. Nothing was saved.")  # the new default leads to another one
        ada.type("#new-secret", typed["secret"])  # no page has it again
        ada.choose("#new-end")
        ada.choose('form:has(input[name="client_id"]) > button')
        words = ada.reads("second is registered here")
        assert f"register its redirect URI {address}/lakekey/callback/second" in words
        assert "Sessions last 43200 minutes" in words
        ada.choose('li:has(input[value="check"]):has(input[value="second"]) form:has(input[value="check"]) button')
        ada.reads("accepts sign-ins through second. It accepts the secret.")
        ada.open(f"{address}/lakekey/")
        connect(ada, ADA)
        ada.reads(f"prod is connected as {ADA}.")
        ada.open(f"{address}/lakekey/admin")
        removal = (
            'li:has(form input[value="remove-app"]):has(input[value="second"]) details:has(input[value="remove-app"])'
        )
        assert "although connections need it" not in ada.text()
        ada.choose(f"{removal} > summary")
        ada.reads("Connections that need it: 1. They end with their next renewal.")
        ada.choose(f"{removal} button")
        ada.reads("second is removed. Connections that end with their next renewal: 1.")
    assert [app.name for app in portal.registrations.all()] == ["chromium-app"]


def test_b55_page_of_a_user_is_not_shown_again_after_signing_out(site, place, tmp_path):
    address, _ = site
    with person(site, place, tmp_path / "ada", ADA) as ada:
        assert f"You are here as {ADA}" in ada.reads("You are here")
        ada.open(f"{address}/sign-in/unknown")
        ada.script("document.cookie = 'x=y'")
        ada._call("DELETE", "/cookie/host")
        ada._call("POST", "/back", {})
        ada._call("POST", "/back", {})
        ada._call("POST", "/forward", {})
        assert ADA not in ada.text()
