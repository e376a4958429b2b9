"""The sessions of a portal's users are kept alive, with the secret of the app through which they signed in."""

import time

import pytest

from lakekey.cache.opening import open_cache
from lakekey.session.keep_alive import keep_alive
from lakekey.session.session import Session
from lakekey.web import Portal, User, begin_sign_in, finish_sign_in
from support.web_people import query_of

from .conftest import ADA, GRACE, URL

DAY = 86400.0


@pytest.fixture
def portal(place, monkeypatch):
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(place.config_file))
    return Portal(["prod"], url=URL, user=lambda request: None)


def connect(place, user):
    begun = begin_sign_in("prod", user=user, redirect_uri=place.redirect_uri)
    answer = query_of(place.consent(begun.url, user))
    assert finish_sign_in("prod", answer=answer, user=user, browser=begun.cookie.value).code == "connected"


def age(portal, user, days):
    session = Session(portal.target("prod", User(user)))
    stored = session.cache.read(session.entry_id)
    then = time.time() - days * DAY
    old = stored.entry._replace(issued_at=then, expires_at=then + 3600, refresh_expires_at=0.0)
    assert session.cache.put(session.entry_id, old, replaces=stored.envelope)
    return session.entry_id


@pytest.mark.parametrize("profile", ["there", "gone"])
def test_sessions_of_two_users_are_renewed_through_the_app(place, portal, monkeypatch, profile):
    for user in (ADA, GRACE):
        connect(place, user)
    entries = {age(portal, user, 2): user for user in (ADA, GRACE)}
    if profile == "gone":  # as on a host that has the store alone
        monkeypatch.delenv("DATABRICKS_CONFIG_FILE")
    pauses = []
    done = keep_alive(pause=pauses.append)
    assert {kept.entry: (kept.state, kept.identity) for kept in done.sessions} == {
        entry: ("renewed", user) for entry, user in entries.items()
    }
    assert pauses == [1.0]
    assert all(open_cache().get(entry).refresh_token for entry in entries)
