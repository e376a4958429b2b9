"""All sessions of a cache: how each stands, and what leads to it today."""

import time
from datetime import UTC, datetime

import pytest

from lakekey.cache.entry import CLIENT_SECRET, Entry, Failure, entry_id
from lakekey.cache.stores.memory import MemoryStore
from lakekey.configuration.target import resolve
from lakekey.errors import CacheError, KeyUnavailable, StoreUnavailable
from lakekey.session import inventory
from lakekey.session.inventory import Found, by_prefix, find, identity_of, moment, profiles_of, state_of, target_of
from support.model_providers import cache_over

HOST = "https://dbc.cloud.databricks.com"
NOW = time.time()
PERSON = {"auth_type": "external-browser"}
SERVICE = {"auth_type": "oauth-m2m", "client_id": "an-app"}
ALIVE = {"access_token": "t", "issued_at": NOW - 60, "expires_at": NOW + 3600}
OVER = Failure("login_required", "the session is over", 1.0)
NAME, OTHER, NOISE, SECRET = (digit * 64 for digit in "abcd")


@pytest.mark.parametrize(
    ("about", "fields", "state"),
    [
        (PERSON, ALIVE, "signed in"),
        (PERSON, {**ALIVE, "expires_at": NOW - 1}, "expired"),
        (PERSON, {**ALIVE, "expires_at": NOW - 1, "refresh_token": "r"}, "renews itself"),
        (PERSON, {"refresh_token": "r"}, "renews itself"),
        (PERSON, {"refused": OVER}, "expired"),
        (PERSON, {"failure": OVER}, "failed"),
        (PERSON, {}, "signed out"),
        (SERVICE, ALIVE, "signed in"),
        (SERVICE, {**ALIVE, "expires_at": NOW - 1}, "renews itself"),
        (SERVICE, {"failure": OVER}, "failed"),
        (SERVICE, {"refused": OVER}, "failed"),
        (SERVICE, {}, "signs in by itself"),
        ({"auth_type": "azure-cli"}, ALIVE, "signed in by the SDK"),
    ],
)
def test_state_of_a_session_in_words(about, fields, state):
    assert state_of(Entry(about, **fields)) == state


def test_person_is_who_signed_in_and_a_service_principal_its_application():
    assert identity_of(Entry({**PERSON, "client_id": "databricks-cli"})) is None
    assert identity_of(Entry(PERSON, identity="ada@example.com")) == "ada@example.com"
    assert identity_of(Entry(SERVICE)) == "an-app"


@pytest.mark.parametrize("unknown", [0.0, -1.0, 250_000_000_000.0, 1e18])
def test_time_that_is_not_known_or_has_no_date_is_none(unknown):
    assert moment(unknown) is None


def test_time_of_an_entry_is_in_utc():
    assert moment(0.5) == datetime(1970, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)
    assert moment(249_999_999_999.0).year == 9892


def test_row_of_an_entry_that_cannot_be_opened_is_a_failure():
    row = Found(NAME, None, trouble=CacheError("noise")).info
    assert (row.state, row.host, row.profile, row.expires_at, row.ends_at) == ("failed", "", None, None, None)


def test_row_names_the_first_profile_and_both_ends():
    entry = Entry({"host": HOST, **PERSON}, **ALIVE, refresh_token="r", session_ends_at=NOW + 86400)
    row = Found(NAME, entry, ("prod", "prod-too")).info
    assert (row.entry, row.host, row.profile, row.auth_type) == (NAME, HOST, "prod", "external-browser")
    assert row.expires_at.timestamp() == pytest.approx(NOW + 3600)
    assert row.ends_at.timestamp() == pytest.approx(NOW + 86400)


@pytest.fixture
def environ(tmp_path):
    file = tmp_path / "databrickscfg"
    file.write_text(f"[prod]\nhost = {HOST}\n[wrong]\nauth_type = nonsense\n[prod-too]\nhost = {HOST}\n")
    return {"DATABRICKS_CONFIG_FILE": f" {file} ", "DATABRICKS_HOST": "https://another.example.com"}


@pytest.fixture
def target():
    return resolve(None, {}, host=HOST)


@pytest.fixture
def name(target):
    return entry_id(target.cache_key_fields())


@pytest.fixture
def cache(target, name):
    cache = cache_over()
    assert cache.put(name, Entry(target.description(), **ALIVE), replaces=None)
    return cache


def test_profiles_of_today_lead_to_an_entry(cache, environ, name, target):
    (found,) = find(cache, environ)
    assert (found.entry_id, found.profiles, found.trouble) == (name, ("prod", "prod-too"), None)
    assert list(profiles_of(target, environ)) == ["prod", "prod-too"]
    assert target_of(found, environ).profile == "prod"
    assert target_of(found, environ).host == HOST


def test_environment_of_this_process_counts_where_none_is_given(cache, environ, monkeypatch):
    for variable, value in environ.items():
        monkeypatch.setenv(variable, value.strip())
    (found,) = find(cache)
    assert found.profiles == ("prod", "prod-too")
    assert target_of(found).profile == "prod"
    assert by_prefix(cache, found.entry_id)[0].profiles == ("prod", "prod-too")


def test_without_a_profile_an_entry_leads_to_its_target_itself(cache, name):
    (found,) = find(cache, {"DATABRICKS_CONFIG_FILE": "/not/there"})
    assert found.profiles == ()
    target = target_of(found, {"DATABRICKS_CONFIG_FILE": "/not/there"})
    assert entry_id(target.cache_key_fields()) == name
    # What is the default need not stand in the command to sign in.
    assert target.login_command == f"lakekey login --host {HOST}"


@pytest.mark.parametrize("settings", [{"scopes": ["sql"]}, {"client_id": "another-app"}, {"user": "ada@example.com"}])
def test_target_is_found_again_by_what_its_entry_remembers(settings):
    target = resolve(None, {}, host=HOST, **settings)
    wanted = entry_id(target.cache_key_fields())
    found = target_of(Found(wanted, Entry(target.description())), {})
    assert entry_id(found.cache_key_fields()) == wanted
    assert target_of(Found(NAME, Entry(target.description())), {}) is None


def test_client_of_the_default_is_named_where_the_grant_is_not_a_persons():
    about = {"host": HOST, "auth_type": "oauth-m2m", "client_id": "databricks-cli"}
    assert target_of(Found(NAME, Entry(about)), {}) is None  # its secret is not here


def test_entry_that_cannot_be_opened_has_no_target():
    assert target_of(Found(NAME, None, trouble=CacheError("noise")), {}) is None


def test_walk_passes_secrets_and_says_what_is_wrong(environ):
    cache = cache_over()
    assert cache.put(NAME, Entry({"host": HOST, **PERSON}, **ALIVE), replaces=None)
    assert cache.put(SECRET, Entry({"kind": CLIENT_SECRET}, client_secret="dose-of-salt"), replaces=None)
    assert cache.put(OTHER, Entry({"host": HOST, **PERSON}, **ALIVE), replaces=None)
    assert cache.store.put(NOISE, sealed_elsewhere(), replaces=None)
    rows = {each.entry_id: each for each in find(cache, environ)}
    assert set(rows) == {NAME, OTHER, NOISE}
    assert rows[NOISE].entry is None
    assert isinstance(rows[NOISE].trouble, KeyUnavailable)
    assert rows[NAME].trouble is None
    assert [each.entry_id for each in inventory.walk(cache, environ, after="B")] == [NOISE]
    assert [each.entry_id for each in inventory.walk(cache, environ, after="a")] == [OTHER, NOISE]


def sealed_elsewhere():
    """An envelope that is sealed under a key which another cache does not have."""
    other = cache_over()
    assert other.put(NOISE, Entry({}), replaces=None)
    return other.store.get(NOISE)


def test_profiles_file_that_cannot_be_read_hides_no_session(cache, tmp_path):
    (tmp_path / "broken").write_text("host = no section before it\n")
    (found,) = find(cache, {"DATABRICKS_CONFIG_FILE": str(tmp_path / "broken")})
    assert found.profiles == ()


def test_session_is_found_by_six_digits_of_its_id(cache, name, environ):
    assert [each.entry_id for each in by_prefix(cache, name[:6].upper(), environ)] == [name]
    assert by_prefix(cache, name, environ)[0].profiles == ("prod", "prod-too")
    assert by_prefix(cache, name[:5], environ) == []
    assert by_prefix(cache, name[:5] + "g", environ) == []
    assert by_prefix(cache, "0" * 6 if name[:6] != "0" * 6 else "1" * 6, environ) == []


def test_sessions_that_begin_alike_are_all_found_and_secrets_are_not():
    cache = cache_over()
    alike = [f"{'a' * 62}{number:02}" for number in range(3)]
    for each in alike[:2]:
        assert cache.put(each, Entry({"host": HOST, **PERSON}), replaces=None)
    assert cache.put(alike[2], Entry({"kind": CLIENT_SECRET}, client_secret="dose-of-salt"), replaces=None)
    assert cache.store.put(NOISE, sealed_elsewhere(), replaces=None)
    assert [each.entry_id for each in by_prefix(cache, "a" * 6, {})] == alike[:2]
    (noise,) = by_prefix(cache, NOISE[:12], {})
    assert isinstance(noise.trouble, KeyUnavailable)


class Away(MemoryStore):
    """A store that cannot be reached."""

    def get(self, entry_id):
        raise StoreUnavailable("away", hint="start it")


def test_store_that_is_away_is_no_damaged_entry():
    with pytest.raises(StoreUnavailable):
        by_prefix(cache_over(Away()), "a" * 6, {})
