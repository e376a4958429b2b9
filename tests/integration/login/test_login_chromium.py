"""The whole way in a real browser: from the program's address over the server's buttons to a first query."""

import os
import re
from pathlib import Path

import pytest

from support.chromium import Chromium, chromium
from support.program import Program, environment, lakekey
from support.tiny_client import whoami

pytestmark = pytest.mark.skipif(
    chromium() is None and not os.environ.get("LAKEKEY_REQUIRE_ALL"), reason="Chromium and its driver are not here"
)
DOCS = Path(__file__).parents[3] / "docs" / "guides"
RENEW_SCREENSHOTS = bool(os.environ.get("LAKEKEY_SCREENSHOTS"))  # read now: tests see no LAKEKEY_ variables

QUERY = """
import lakekey
p = lakekey.provider()
with lakekey.sql.connect(p, enable_telemetry=False) as connection, connection.cursor() as cursor:
    cursor.execute("select 1, current_user()")
    print(*cursor.fetchone())
"""


def luminance(colour):
    return sum(map(int, re.findall(r"\d+", colour)[:3]))


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_person_signs_in_at_the_certified_server(oidc_server, tmp_path, scripts):
    settings = environment(oidc_server, tmp_path / "cache")
    with (
        lakekey("token", environment=settings) as program,
        Chromium(tmp_path, [oidc_server.host], scripts=scripts) as browser,
    ):
        browser.open(program.url())
        browser.type("input[name=login]", "ada@example.com")
        browser.type("input[name=password]", "a password")
        browser.click("button[type=submit]")
        browser.click("button[type=submit]")  # and agrees
        here = f"http://localhost:{settings['DATABRICKS_OAUTH_CALLBACK_PORT']}/"
        assert browser.address == here if scripts else browser.address.startswith(f"{here}?code=")
        page = browser.text()
        status, token, errors = program.ends()
    assert status == 0, errors
    for words in ("You are signed in", "ada@example.com", oidc_server.host.removeprefix("https://"), "close this tab"):
        assert words in page
    assert whoami(oidc_server, token.strip()).json()["userName"] == "ada@example.com"


def test_from_the_button_to_select_1(lakekey_sandbox, tmp_path):
    settings = {**environment(lakekey_sandbox, tmp_path / "cache"), **lakekey_sandbox.environment()}
    with (
        Program(QUERY, environment=settings) as program,
        Chromium(tmp_path, [lakekey_sandbox.host]) as browser,
    ):
        browser.open(program.url())
        browser.choose("input[value='grace@example.com']")
        browser.click("button[value=sign-in]")
        page = browser.text()
        for scheme in ("light", "dark"):
            browser.color_scheme(scheme)
            ink, paper = (luminance(browser.style("body", name)) for name in ("color", "background-color"))
            assert abs(ink - paper) > 450
            assert (ink > paper) is (scheme == "dark")
            keep(browser.screenshot(), f"login-page-{scheme}.png", tmp_path)
        assert browser.complaints() == []
        status, output, errors = program.ends(60)
    assert (status, output.split()) == (0, ["1", "grace@example.com"]), errors
    assert "You are signed in" in page
    assert "grace@example.com" in page
    assert lakekey_sandbox.account_id not in page  # a number of the server's, which the person has never seen
    assert lakekey_sandbox.host.removeprefix("https://") in page


def test_a_person_who_cancels_reads_why(lakekey_sandbox, tmp_path):
    settings = {**environment(lakekey_sandbox, tmp_path / "cache"), **lakekey_sandbox.environment()}
    with (
        lakekey("login", environment=settings) as program,
        Chromium(tmp_path, [lakekey_sandbox.host]) as browser,
    ):
        browser.open(program.url())
        browser.click("button[value=cancel]")
        page = browser.text()
        status, _, errors = program.ends()
    assert status == 1
    assert "You are not signed in" in page
    assert "access_denied" in page
    assert "access_denied" in errors


def test_sandbox_form_fits_a_phone_and_both_colour_schemes(lakekey_sandbox, tmp_path):
    settings = {**environment(lakekey_sandbox, tmp_path / "cache"), **lakekey_sandbox.environment()}
    with (
        lakekey("login", environment=settings) as program,
        Chromium(tmp_path, [lakekey_sandbox.host]) as browser,
    ):
        browser.open(program.url())
        for scheme in ("light", "dark"):
            browser.color_scheme(scheme)
            ink, paper = (luminance(browser.style("body", name)) for name in ("color", "background-color"))
            assert abs(ink - paper) > 450
            assert (ink > paper) is (scheme == "dark")
            keep(browser.screenshot(), f"sandbox-page-{scheme}.png", tmp_path)
        browser.screen(320, 640)
        browser.open(browser.address)
        # Without the viewport of a phone, the page would be laid out 980 pixels wide.
        assert browser.size("html")[0] == 320
        assert browser.size("main")[0] <= 320
        assert browser.size("button[value=sign-in]")[1] >= 44
        assert browser.size("label")[1] >= 44
        (tmp_path / "phone.png").write_bytes(browser.screenshot())
        assert browser.complaints() == []
        browser.click("button[value=cancel]")
        program.ends()


def keep(picture, name, directory):
    """A picture of the page; renewed in the documentation where LAKEKEY_SCREENSHOTS=1 asks for it."""
    assert picture.startswith(b"\x89PNG")
    place = DOCS if RENEW_SCREENSHOTS else directory
    (place / name).write_bytes(picture)
