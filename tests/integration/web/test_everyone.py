"""What a portal knows of all its users: administration, offboarding, schedules, ends that are near."""

import time
from pathlib import Path

import pytest

from lakekey.cache.opening import open_cache
from lakekey.configuration.layers import read_layers
from lakekey.errors import ConfigurationError, LoginRequired
from lakekey.session.session import Session
from lakekey.web import Portal, Schedule, User, begin_sign_in, finish_sign_in, sign_in
from lakekey.web.registrations import Registrations
from support.web_people import query_of

from .conftest import ADA, GRACE, URL

ROOT = "root@example.com"


@pytest.fixture
def portal(place):
    return Portal(["prod"], url=URL, user=lambda request: None, admin=[ROOT])


@pytest.fixture
def connect(place):
    """Connects a person, as the portal at `URL` does."""

    def connect(user):
        begun = begin_sign_in("prod", user=user, redirect_uri=place.redirect_uri)
        answer = query_of(place.consent(begun.url, user))
        assert finish_sign_in("prod", answer=answer, user=user, browser=begun.cookie.value).code == "connected"

    return connect


def ends_in(portal, seconds, user=ADA):
    session = Session(portal.target("prod", User(user)))
    stored = session.cache.read(session.entry_id)
    ends_at = time.time() + seconds
    assert session.cache.put(session.entry_id, stored.entry._replace(session_ends_at=ends_at), replaces=stored.envelope)


def test_b38_administrator_sees_owner_state_and_times_and_no_token(portal, connect):
    connect(ADA)
    connect(GRACE)
    held = portal.everyone.all()
    assert [(each.user, each.connection.state) for each in held] == [(ADA, "connected"), (GRACE, "connected")]
    token = portal.provider(ADA, "prod").token().access_token
    assert token not in repr(held)
    assert portal.is_admin(User(ROOT))
    assert not portal.is_admin(User(ADA))


def test_b41_person_who_leaves_is_removed_and_revoked_by_the_administrator(portal, connect, place):
    connect(ADA)
    connect(GRACE)
    assert [(each.user, each.revocation) for each in portal.everyone.remove("Ada@example.com")] == [(ADA, "revoked")]
    with pytest.raises(LoginRequired):
        portal.provider(ADA, "prod")
    assert len(place.box.stored_refresh_tokens(ADA)) == 0
    assert portal.provider(GRACE, "prod").token()
    checked = portal.check_schedules([Schedule("nightly", "prod", ADA)])
    assert (checked[0].verdict, checked[0].acts_as) == ("fails", None)


def test_b41_connection_of_a_profile_that_is_gone_can_be_removed(portal, connect, place):
    connect(ADA)
    place.config_file.write_text("[other]\nhost = https://other.example.com\nclient_id = x\n")
    other = Portal(["other"], url=URL, user=lambda request: None)
    (held,) = other.everyone.all()
    assert (held.offered, held.profile) == (False, "prod")
    assert [removal.revocation for removal in other.everyone.remove(ADA)] == [None]
    assert other.everyone.all() == []


def test_connection_is_listed_under_the_names_that_its_profile_and_its_app_have_today(portal, connect, place):
    connect(ADA)
    Registrations(open_cache()).change("portal-app", name="new-name")
    place.config_file.write_text(place.config_file.read_text().replace("[prod]", "[production]"))
    renamed = Portal(["production"], url=URL, user=lambda request: None)
    (held,) = renamed.everyone.all()
    assert (held.offered, held.profile, held.connection.registration) == (True, "production", "new-name")
    assert held.connection == renamed.connection(ADA, "production")
    assert [removal.revocation for removal in renamed.everyone.remove(ADA)] == ["revoked"]


@pytest.mark.parametrize("profiles", [["other"], ["other", "second", "third"]], ids=len)
def test_each_profile_is_resolved_once_in_a_look_however_many_connections_are_left_over(
    portal, connect, place, profiles, monkeypatch
):
    users = [ADA, GRACE]
    for user in users:
        connect(user)
    host = f"host = {place.box.host}\nclient_id = another\n"
    place.config_file.write_text("".join(f"[{each}]\n{host}scopes = all-apis,{each}\n" for each in profiles))
    others = Portal(profiles, url=URL, user=lambda request: None)
    resolved = []
    monkeypatch.setattr(sign_in, "read_layers", lambda *given: resolved.append(given[0]) or read_layers(*given))
    assert [(held.user, held.profile, held.offered) for held in others.everyone.all()] == [
        (user, "prod", False) for user in users
    ]
    assert sorted(resolved) == sorted(profiles)


def test_b45_app_with_connections_is_not_removed_silently(portal, connect):
    connect(ADA)
    connect(GRACE)
    registrations = Registrations(open_cache())
    with pytest.raises(ConfigurationError, match="2 connections need the app registration portal-app"):
        registrations.remove("portal-app")
    assert registrations.remove("portal-app", with_connections=True) == 2


def test_b45_connections_of_an_app_that_was_replaced_are_marked_and_can_be_removed(portal, connect, place):
    connect(ADA)
    registrations = Registrations(open_cache())
    app = registrations.get("portal-app")
    registrations.remove("portal-app", with_connections=True)
    registrations.add(app._replace(name="another", client_id="another"))
    (held,) = portal.everyone.all()
    assert held.offered is False
    assert portal.connection(ADA, "prod").state == "not-connected"
    assert len(portal.everyone.remove(ADA)) == 1


def test_b46_each_stage_of_an_end_is_told_once_whichever_worker_asks(portal, connect):
    connect(ADA)
    told = []
    for seconds in (10 * 86400, 2 * 86400, 1800, -5):
        ends_in(portal, seconds)
        for worker in (portal, Portal(["prod"], url=URL, user=lambda request: None)):
            worker.everyone.tell_endings(lambda ending: told.append((ending.stage, ending.user, ending.url)))
    assert told == [(stage, ADA, f"{URL}/#prod") for stage in ("days", "hour", "ended")]


def test_note_of_an_end_goes_with_its_connection(portal, connect):
    for user in (ADA, GRACE):
        connect(user)
        ends_in(portal, 1800, user)
    assert len(portal.everyone.tell_endings(lambda ending: None)) == 2
    portal.disconnect(ADA, "prod")
    ends_in(portal, -5, GRACE)
    assert len(portal.everyone.tell_endings(lambda ending: None)) == 1
    assert list(open_cache().get("web-told").about["told"]) == [f"prod\n{GRACE}"]


def test_b46_hook_that_fails_is_called_again(portal, connect):
    connect(ADA)
    ends_in(portal, 1800)

    def fails(ending):
        raise OSError("no mail server")

    assert portal.everyone.tell_endings(fails) == []
    assert len(portal.everyone.tell_endings(lambda ending: None)) == 1


def test_b47_schedule_that_relies_on_a_person_is_warned_of_before_it_runs(portal, connect):
    (before,) = portal.check_schedules([Schedule("nightly", "prod", ADA)])
    assert (before.verdict, before.acts_as) == ("fails", None)
    assert "no service principal is configured" in before.reason
    assert before.url == f"{URL}/#prod"
    connect(ADA)
    (after,) = portal.check_schedules([Schedule("nightly", "prod", ADA)])
    assert (after.verdict, after.acts_as) == ("warning", ADA)


def test_b47_schedule_with_a_service_principal_needs_no_person(place):
    profile = f"\n[robot]\nhost = {place.box.host}\nca_file = {place.box.ca_file}\n"
    profile += f"client_id = {place.box.client_id}\nclient_secret = {place.box.client_secret}\n"
    Path(place.config_file).write_text(place.config_file.read_text() + profile)
    portal = Portal(["prod"], url=URL, user=lambda request: None, automation={"prod": "robot"})
    (checked,) = portal.check_schedules([Schedule("nightly", "prod", ADA)])
    assert (checked.verdict, checked.acts_as) == ("ok", place.box.client_id)
    assert portal.connection(ADA, "prod").principal == place.box.client_id
    with pytest.raises(ConfigurationError, match="no service principal is configured"):
        Portal(["prod"], url=URL, user=lambda request: None, automation={"prod": "prod"})


def test_app_registration_keeps_offline_access_and_one_default(place):
    registrations = Registrations(open_cache())
    first = registrations.get("portal-app")
    second = registrations.add(
        first._replace(name="second", client_id="second", scopes=("sql",), is_default=False, redirect_uri="")
    )
    assert second.scopes == ("offline_access", "sql")
    assert [app.name for app in registrations.all() if app.is_default] == ["portal-app"]
    registrations.set_default("second")
    assert [app.name for app in registrations.all() if app.is_default] == ["second"]


@pytest.mark.parametrize("name", ["", "A", "a/b", "../x", "a b", "-a", "x" * 64])
def test_app_registration_has_a_name_that_can_stand_in_an_address(place, name):
    registrations = Registrations(open_cache())
    with pytest.raises(ConfigurationError):
        registrations.add(registrations.get("portal-app")._replace(name=name))


def test_each_act_of_an_administrator_is_an_audit_record(portal, connect, caplog):
    connect(ADA)
    with caplog.at_level("INFO", logger="lakekey.audit"):
        registrations = Registrations(open_cache())
        registrations.rotate_secret("portal-app", "another-secret-of-the-app")
        portal.everyone.remove(ADA)
        with pytest.raises(ConfigurationError):
            portal.provider(ADA, "prod", actor=GRACE)
    acts = [
        (getattr(record, "lakekey.action", None), getattr(record, "lakekey.outcome"))
        for record in caplog.records
        if getattr(record, "lakekey.event", "") == "administration"
    ]
    assert acts == [("app_secret_replaced", "done"), ("connection_removed", "done"), ("act_as_another", "refused")]
    assert "another-secret-of-the-app" not in caplog.text
