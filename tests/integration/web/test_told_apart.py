"""What must not be taken for one another: people of one name, profiles of one slug, cookies of one machine."""

import json
from urllib.parse import urlsplit

import pytest

import lakekey
from lakekey.cache.opening import open_cache
from lakekey.cli import main
from lakekey.errors import ConfigurationError, LoginRequired
from lakekey.web import COOKIE, Portal, Schedule, User, begin_sign_in, finish_sign_in
from lakekey.web.flows import FlowStore
from lakekey.web.registrations import Registrations
from support.web_browser import Browser
from support.web_people import query_of
from support.web_server import serving

from .conftest import ADA, URL

FIRST, SECOND = User(ADA, "first"), User(ADA, "second")
ROOT = "root@example.com"


def portal_of(*profiles, **options):
    return Portal(profiles, url=URL, user=lambda request: request.headers.get("x-user"), **options)


def connect(place, profile, user):
    begun = begin_sign_in(profile, user=user, redirect_uri=place.redirect_uri)
    answer = query_of(place.consent(begun.url, ADA))
    assert finish_sign_in(profile, answer=answer, user=user, browser=begun.cookie.value).code == "connected"


@pytest.fixture
def namesakes(place):
    """Two people who have had the same name, each with a connection."""
    prod = place.config_file.read_text()
    narrow = prod.replace("[prod]", "[narrow]") + "scopes = sql\n"
    place.config_file.write_text(f"{prod}\n{narrow}")
    connect(place, "prod", FIRST)
    connect(place, "narrow", SECOND)
    return portal_of("prod", "narrow", admin=[ROOT])


# -- people of one name -----------------------------------------------------------------------------------------


def test_person_who_leaves_takes_no_connection_of_a_namesake_along(namesakes):
    with pytest.raises(ConfigurationError, match=r"2 persons have had the name .*, with the ids first, second"):
        namesakes.everyone.remove(ADA)
    assert len(namesakes.everyone.all()) == 2
    assert [each.profile for each in namesakes.everyone.remove(FIRST)] == ["prod"]
    with pytest.raises(LoginRequired):
        namesakes.provider(FIRST, "prod")
    assert namesakes.provider(SECOND, "narrow").identity() == ADA
    assert [each.profile for each in namesakes.everyone.remove(ADA)] == ["narrow"]


def test_connections_of_a_person_are_listed_without_those_of_a_namesake(namesakes):
    everyone = namesakes.everyone
    assert [len(everyone.of(who)) for who in (ADA, FIRST, SECOND, User(ADA, "third"))] == [2, 1, 1, 0]


def test_button_of_the_administrator_removes_one_of_two_namesakes(namesakes, place):
    with serving(namesakes) as address:
        root = Browser(address, ROOT, place.box.ca_file)
        page = root.get("/admin")
        assert "Remove all connections of ada@example.com (first)" in page.buttons
        root.press(page, "Remove all connections of ada@example.com (second)")
    assert [(held.user_id, held.profile) for held in namesakes.everyone.all()] == [("first", "prod")]


def test_act_on_the_page_names_the_administrator_in_the_audit_record(namesakes, place, caplog):
    with serving(namesakes) as address, caplog.at_level("INFO", logger="lakekey.audit"):
        root = Browser(address, ROOT, place.box.ca_file)
        root.press(root.get("/admin"), "Remove all connections of ada@example.com (second)")
        root.press(root.get("/admin"), "Remove prod of ada@example.com")
        root.press(root.get("/admin"), "Remove portal-app")
    acts = [
        tuple(getattr(record, f"lakekey.{name}", None) for name in ("action", "actor", "who"))
        for record in caplog.records
        if getattr(record, "lakekey.event", "") == "administration"
    ]
    assert acts == [
        ("connection_removed", ROOT, ADA),
        ("connection_removed", ROOT, ADA),
        ("app_removed", ROOT, None),
    ]


def test_schedules_of_a_file_are_checked_for_the_person_with_the_id(namesakes, tmp_path, capsys):
    listed = [{"name": who.id, "profile": "prod", "user": who.name, "user_id": who.id} for who in (FIRST, SECOND)]
    file = tmp_path / "schedules.json"
    file.write_text(json.dumps(listed))
    assert main(["web", "check", "prod", "--schedules", str(file), "--json"]) == 1
    checked = {each["schedule"]: each["verdict"] for each in json.loads(capsys.readouterr().out)}
    assert checked == {"first": "warning", "second": "fails"}


# -- profiles of one slug ---------------------------------------------------------------------------------------


def two_profiles(place, second="Prod eu"):
    """Two profiles with clients of their own, whose registrations would have one name."""
    text = f"{place.config_file.read_text()}client_id = "
    both = text.replace("[prod]", "[prod-eu]") + "one\n" + text.replace("[prod]", f"[{second}]") + "two\n"
    place.config_file.write_text(both)


def test_profiles_that_would_share_a_callback_are_refused_at_start(place):
    two_profiles(place)
    with pytest.raises(ConfigurationError, match="'prod-eu' and 'Prod eu' both make the app registration prod-eu"):
        portal_of("prod-eu", "Prod eu")


def test_profile_of_another_portal_does_not_take_over_a_callback(place):
    two_profiles(place)
    first, second = portal_of("prod-eu"), portal_of("Prod eu")
    own = first.app_of(first.target("prod-eu", User(ADA)))
    with pytest.raises(ConfigurationError, match="both make the app registration prod-eu"):
        second.app_of(second.target("Prod eu", User(ADA)))
    assert Registrations(open_cache()).get("prod-eu") == own
    Registrations(open_cache()).remove("prod-eu")
    assert second.app_of(second.target("Prod eu", User(ADA))).client_id == "two"


# -- profiles of any name ---------------------------------------------------------------------------------------

ODD = 'prod eu/1?#"é'


@pytest.mark.filterwarnings("ignore::lakekey.ServicePrincipalMissingWarning")
def test_profile_of_any_name_is_linked_to_connected_and_disconnected(place):
    text = place.config_file.read_text().replace("[prod]", f"[{ODD}]")
    place.config_file.write_text(text)
    portal = portal_of(ODD)
    linked = f"{URL}/#prod%20eu%2F1%3F%23%22%C3%A9"
    assert portal.check_schedules([Schedule("daily", ODD, ADA)])[0].url == linked
    for ask in (lambda: portal.provider(ADA, ODD), lambda: lakekey.provider(ODD, user=ADA).headers()):
        with pytest.raises(LoginRequired) as required:
            ask()
        assert required.value.url == linked
    with serving(portal) as address:
        ada = Browser(address, ADA, place.box.ca_file)
        assert f'<li id="{urlsplit(linked).fragment}">' in ada.get().text
        assert f"{ODD} is connected as {ADA}." in ada.connect(f"Connect {ODD}").words
        assert f"{ODD} is disconnected." in ada.press(ada.get(), f"Disconnect {ODD}").words


# -- cookies of one machine -------------------------------------------------------------------------------------


def test_cookie_that_another_server_of_this_machine_plants_is_not_taken_over(place):
    """Cookies know no ports, and without the prefix any program on loopback can set one."""
    url = "http://localhost:8030/lakekey"
    portal = Portal(["prod"], url=url, user=lambda request: ADA)
    planted = "x" * 43
    with serving(portal) as address:
        ada = Browser(address, None, place.box.ca_file, origin="http://localhost:8030")
        ada.cookies["lakekey-browser"] = planted
        ada.get(headers={"User-Agent": "Mozilla/5.0 Chrome/150.0 Safari/537.36"})
        assert ada.cookies[COOKIE] != planted
        safari = Browser(address, None, place.box.ca_file, origin="http://localhost:8030")
        safari.get(headers={"User-Agent": "Mozilla/5.0 Version/19.0 Safari/605.1.15"})
        assert list(safari.cookies) == ["lakekey-browser"]


# -- rows of sign-ins -------------------------------------------------------------------------------------------


def test_store_is_looked_through_once_in_a_while_and_not_with_each_sign_in(place, monkeypatch):
    looked, look = [], FlowStore._remove_if_over
    monkeypatch.setattr(FlowStore, "_remove_if_over", lambda flows, name: looked.append(name) or look(flows, name))
    for _ in range(5):
        begin_sign_in("prod", user=ADA, redirect_uri=place.redirect_uri)
    assert looked == []  # the first look finds nothing, and the others do not look
