"""What an administrator registered for a portal counts where neither the profile nor anything else says it."""

import pytest

from lakekey.cache.app_registrations import NAME, AppRegistration, entry_of
from lakekey.cache.opening import open_cache
from lakekey.configuration.target import resolve

HOST = "https://w.example.com"
APP = AppRegistration(
    "app", "client-of-app", (HOST,), discovery_url="https://idp.example.com/metadata", scopes=("offline_access", "sql"),
    secret="dose-of-today", older_secret="dose-of-old", refresh_token_lifetime_in_minutes=60.0,
    redirect_uri="https://portal.example.com/callback/app", is_default=True,
)  # fmt: skip


@pytest.fixture
def target_of(tmp_path):
    """Registers an app; returns what a person's target is then."""

    def register(app=APP, profile=None, text="", **settings):
        place = f"file:{tmp_path / 'shared'}"
        if app is not None:
            open_cache(place=place).put(NAME, entry_of([app]), replaces=None)
        config = tmp_path / "profiles"
        config.write_text(text, encoding="utf-8")
        environ = {"LAKEKEY_KEY_SOURCE": "file", "DATABRICKS_CONFIG_FILE": str(config)}
        settings = {"host": HOST, "user": "ada@example.com", "store": place, **settings}
        return resolve(profile, environ, **settings)

    return register


def test_app_says_what_is_not_configured(target_of):
    target = target_of()
    assert (target.client_id, target.client_secret, target.scopes) == ("client-of-app", "dose-of-today", ("sql",))
    assert target.discovery_url == APP.discovery_url
    assert target.refresh_token_lifetime_in_minutes == 60.0
    assert target.older_secret == "dose-of-old"
    assert target.connect_url == "https://portal.example.com/"


def test_what_is_configured_counts_and_not_what_is_registered(target_of):
    mine = {"scopes": "all-apis", "client_id": "client-of-app", "client_secret": "dose-of-my-own"}
    target = target_of(**mine, auth_type="external-browser")
    assert (target.client_secret, target.scopes, target.older_secret) == ("dose-of-my-own", ("all-apis",), None)
    assert target.discovery_url == APP.discovery_url


def test_secret_that_was_replaced_for_good_has_none_before_it(target_of):
    assert target_of(APP._replace(older_secret="")).older_secret is None


def test_store_without_an_app_for_the_host_changes_nothing(target_of):
    for app in (None, APP._replace(hosts=("https://v.example.com",))):
        target = target_of(app)
        assert (target.client_id, target.connect_url) == ("databricks-cli", None)


def test_app_of_a_profile_says_only_where_people_connect(target_of):
    target = target_of(APP._replace(of_profile="prod"))
    assert (target.client_id, target.connect_url) == ("databricks-cli", "https://portal.example.com/")


def test_app_without_a_portal_has_no_page_to_connect_at(target_of):
    assert target_of(APP._replace(redirect_uri="")).connect_url is None


@pytest.mark.parametrize(
    ("profile", "fragment"), [("prod-1_b", "prod-1_b"), ("prod/b", "prod%2Fb"), ("pröd", "pr%C3%B6d")]
)
def test_link_leads_to_the_connection_of_the_profile(target_of, profile, fragment):
    target = target_of(profile=profile, text=f"[{profile}]\nhost = {HOST}\n")
    assert target.connect_url == f"https://portal.example.com/#{fragment}"
