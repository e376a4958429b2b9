"""The apps of a portal: what one serves, which one a host gets, and what is stored of them."""

import os

import pytest

from lakekey.cache.app_registrations import (
    NAME,
    AppRegistration,
    apps_of,
    choose,
    entry_of,
    find_app,
    with_offline_access,
)
from lakekey.cache.entry import WEB_APPS, Entry
from lakekey.cache.opening import open_cache

HOST, OTHER = "https://w.example.com", "https://v.example.com"
FULL = AppRegistration(
    "full", "client-of-full", (HOST, OTHER), "account", "https://idp.example.com/metadata", "https://idp.example.com",
    ("all-apis", "offline_access"), "dose-of-today", "dose-of-old", 12.5, 60.0, 120.0,
    "https://portal.example.com/callback/full", True, "prod",
)  # fmt: skip


def app(name="app", hosts=(HOST,), **fields):
    return AppRegistration(name, f"client-of-{name}", hosts, **fields)


def test_app_shows_no_secret_and_whether_it_has_one():
    assert repr(FULL) == "AppRegistration(full, client-of-full, confidential)"
    assert repr(app()) == "AppRegistration(app, client-of-app, public)"


@pytest.mark.parametrize(
    ("one", "account", "serves"),
    [
        (app(), None, True),
        (app(), "account", True),
        (app(hosts=(OTHER,)), "account", False),
        (app(hosts=(), account_id="account"), "account", True),
        (app(hosts=(), account_id="account"), "another", False),
        (app(hosts=(), account_id="account"), None, False),
        (app(hosts=()), None, False),
    ],
)
def test_app_serves_its_hosts_and_those_of_its_account(one, account, serves):
    assert one.serves(HOST, account) is serves


def test_portal_is_what_stands_before_the_redirect_uris_path():
    assert app(redirect_uri="https://portal.example.com/sign-in/callback/app").portal == (
        "https://portal.example.com/sign-in"
    )
    assert app().portal == ""


def test_scopes_are_sorted_once_each_with_offline_access():
    assert with_offline_access(["sql", "all-apis", "sql"]) == ("all-apis", "offline_access", "sql")


def test_apps_are_read_as_they_were_stored():
    apps = [FULL, app()]
    entry = Entry.from_bytes(entry_of(apps).to_bytes())
    assert entry.kind == WEB_APPS
    assert apps_of(entry) == apps
    assert apps_of(None) == []
    cache = open_cache()
    assert apps_of(cache.get(NAME)) == []
    cache.put(NAME, entry_of(apps), replaces=None)
    assert apps_of(cache.get(NAME)) == apps


def test_fields_of_other_releases_are_passed_over_and_missing_ones_have_their_defaults():
    fields = {"name": "app", "client_id": "client-of-app", "of_a_later_release": 1}
    [found] = apps_of(Entry({"apps": [fields]}))
    assert found == ("app", "client-of-app", (), None, None, None, (), "", "", 0.0, None, None, "", False, "")


@pytest.mark.parametrize(
    ("apps", "client_id", "chosen"),
    [
        ([], None, None),
        ([app("one")], None, "one"),
        ([app("one"), app("two")], None, None),  # which of them is the administrator's to say
        ([app("one"), app("two", is_default=True)], None, "two"),
        ([app("one", hosts=(OTHER,)), app("two")], None, "two"),
        ([app("one", hosts=(OTHER,), is_default=True)], None, None),
        ([app("one"), app("two")], "client-of-two", "two"),
        ([app("one"), app("two", is_default=True)], "client-of-three", None),
        ([app("one", hosts=(OTHER,))], "client-of-one", None),
        ([app("one", of_profile="prod")], None, "one"),
        ([app("one", of_profile="prod"), app("two", of_profile="dev")], None, "one"),
        ([app("one", of_profile="prod"), app("two")], None, "two"),
        ([app("one", of_profile="prod"), app("two"), app("three")], None, "one"),
    ],
)
def test_app_of_a_host_is_the_one_that_is_named_or_the_default(apps, client_id, chosen):
    found = choose(apps, HOST, None, client_id)
    assert (found and found.name) == chosen


def test_app_is_found_in_the_configured_place_and_no_cache_is_made_by_looking(tmp_path):
    place = f"file:{tmp_path / 'shared'}"
    assert find_app({}, place, HOST, None, None) is None
    assert not os.path.exists(tmp_path / "shared")
    open_cache(place=place).put(NAME, entry_of([FULL]), replaces=None)
    environ = {"LAKEKEY_KEY_SOURCE": "file"}
    assert find_app(environ, place, HOST, None, None) == FULL
    assert find_app(environ, place, "https://u.example.com", "account", "client-of-full") == FULL
    assert find_app(environ, place, "https://u.example.com", None, "client-of-full") is None
    assert find_app({**environ, "LAKEKEY_CACHE_DIR": str(tmp_path / "cache")}, None, HOST, None, None) is None
