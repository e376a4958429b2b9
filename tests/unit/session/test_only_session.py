"""The one session that there is, for callers who name none."""

import time

import pytest

from lakekey.cache.entry import Entry, Failure, entry_id
from lakekey.configuration.target import resolve
from lakekey.errors import ConfigurationError
from lakekey.session import only_session
from lakekey.session.only_session import is_nothing_named, the_only_one
from support.model_providers import cache_over


@pytest.fixture
def environ(tmp_path):
    return {"DATABRICKS_CONFIG_FILE": str(tmp_path / "databrickscfg")}


@pytest.fixture
def cache(monkeypatch):
    cache = cache_over()
    monkeypatch.setattr(only_session, "open_cache", lambda _: cache)
    return cache


def keep(cache, number=1, *, auth_type="external-browser", user=None, host=None, **fields):
    """Store a session of a host of its own. Returns the host."""
    host = host or f"https://dbc-{number:03}.cloud.databricks.com"
    app = {"client_id": "app", "client_secret": "dose-of-salt"} if auth_type == "oauth-m2m" else {}
    target = resolve(None, {}, host=host, auth_type=auth_type, user=user, **app)
    now = time.time()
    held = {"access_token": "t", "issued_at": now, "expires_at": now + 3600, "refresh_token": "r", **fields}
    assert cache.put(entry_id(target.cache_key_fields()), Entry(target.description(), **held), replaces=None)
    return host


def test_only_session_of_a_person_is_the_one(cache, environ):
    host = keep(cache)
    keep(cache, 2, auth_type="oauth-m2m")
    keep(cache, 3, access_token="", refresh_token="", refused=Failure("login_required", "over", 1.0))
    assert the_only_one(environ).host == host


@pytest.mark.parametrize("left", [{"refresh_token": ""}, {"expires_at": 1.0}], ids=["its token lives", "renews itself"])
def test_session_counts_while_its_token_lives_or_it_renews_itself(cache, environ, left):
    assert the_only_one(environ) is None
    host = keep(cache, **left)
    assert the_only_one(environ).host == host


def test_several_are_named_as_the_command_line_takes_them(cache, environ):
    profiled, host = keep(cache, 1), keep(cache, 2)
    keep(cache, host=host, user="ada@example.com")
    with open(environ["DATABRICKS_CONFIG_FILE"], "w", encoding="utf-8") as file:
        file.write(f"[prod]\nhost = {profiled}\n[prod-too]\nhost = {profiled}\n")
    with pytest.raises(ConfigurationError) as raised:
        the_only_one(environ)
    assert raised.value.message == "no profile is named, and there are 3 sessions to choose from"
    named = raised.value.hint.removeprefix("name one: ").split(", ")
    assert sorted(named) == sorted(["-p prod", f"--host {host}", f"--host {host} --user ada@example.com"])


@pytest.mark.parametrize(("number", "more"), [(10, False), (11, True), (12, True)])
def test_of_many_ten_are_named(cache, environ, number, more):
    for each in range(number):
        keep(cache, each)
    with pytest.raises(ConfigurationError) as raised:
        the_only_one(environ)
    assert f"there are {'more than ' if more else ''}10 sessions to choose from" in raised.value.message
    assert raised.value.hint.count("--host https://") == 10
    assert raised.value.hint.endswith("; lakekey status shows the others") is more


def test_nothing_named_is_told_from_something_wrong():
    with pytest.raises(ConfigurationError) as nothing:
        resolve(None, {"DATABRICKS_CONFIG_FILE": "/not/there"})
    with pytest.raises(ConfigurationError) as wrong:
        resolve(None, {}, host="https://a.example.com", lock_timeout="soon")
    assert is_nothing_named(nothing.value)
    assert not is_nothing_named(wrong.value)
