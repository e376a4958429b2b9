"""Who signed in is known, and no person takes another's place unnoticed."""

import json

import pytest

import lakekey as product
from lakekey.cache.opening import open_cache
from lakekey.sandbox import Sandbox
from support.inside import session_of
from support.program import environment, lakekey

ADA, GRACE = "ada@example.com", "grace@example.com"


def sign_in(server, settings, user, *arguments):
    with lakekey("login", *arguments, environment=settings) as program:
        page = server.sign_in(program.url(), user)
        status, output, errors = program.ends()
    return status, output + errors, page.body


def held(settings):
    cache = open_cache({**settings, "LAKEKEY_KEY_SOURCE": "file"})
    return sorted(cache.get(name).identity for name in cache.list())


def test_another_person_than_the_profile_names_is_refused(oidc_server, settings):
    status, said, page = sign_in(oidc_server, settings, GRACE, "--user", ADA)
    assert status == 1
    assert f"{GRACE} signed in, but this profile is for {ADA}" in said
    assert f"{GRACE} signed in, but this profile is for {ADA}" in page


def test_the_tokens_of_the_wrong_person_are_given_back(oidc_server, settings):
    sign_in(oidc_server, settings, GRACE, "--user", ADA)
    assert oidc_server.current_refresh_tokens() == []
    assert "access" not in repr(held_entries(settings))


def held_entries(settings):
    cache = open_cache({**settings, "LAKEKEY_KEY_SOURCE": "file"})
    return [cache.get(name) for name in cache.list()]


def test_a_name_is_the_same_in_capitals(oidc_server, settings):
    assert sign_in(oidc_server, settings, ADA, "--user", "Ada@Example.com")[0] == 0


def test_another_person_than_before_is_refused_and_the_session_stays(oidc_server, settings):
    assert sign_in(oidc_server, settings, ADA)[0] == 0
    (before,) = held_entries(settings)
    status, said, _ = sign_in(oidc_server, settings, GRACE)
    assert status == 1
    assert f"{GRACE} signed in, but this session is {ADA}'s" in said
    assert "--switch" in said
    (after,) = held_entries(settings)
    assert (after.identity, after.refresh_token) == (ADA, before.refresh_token)
    assert oidc_server.is_current(after.refresh_token)


def test_unidentified_person_does_not_take_the_session_of_a_known_one(oidc_server, settings):
    assert sign_in(oidc_server, settings, ADA)[0] == 0
    (before,) = held_entries(settings)
    oidc_server.fault("token", "edit", set={"access_token": "an-opaque-token"}, remove=["id_token"])
    status, said, _ = sign_in(oidc_server, settings, GRACE)
    assert status == 1
    assert f"a person that the server does not name signed in, but this session is {ADA}'s" in said
    assert "lakekey login --host" in said
    assert "--switch" in said
    (after,) = held_entries(settings)
    assert (after.identity, after.refresh_token) == (ADA, before.refresh_token)
    assert oidc_server.is_current(before.refresh_token)
    assert len(oidc_server.current_refresh_tokens()) == 1


def test_switch_hands_the_session_over_to_an_unidentified_person(oidc_server, settings):
    assert sign_in(oidc_server, settings, ADA)[0] == 0
    oidc_server.fault("token", "edit", set={"access_token": "an-opaque-token"}, remove=["id_token"])
    assert sign_in(oidc_server, settings, GRACE, "--switch")[0] == 0
    (after,) = held_entries(settings)
    assert (after.identity, after.access_token) == (None, "an-opaque-token")


def test_switch_does_not_open_a_named_users_profile_to_an_unidentified_person(oidc_server, settings):
    oidc_server.fault("token", "edit", set={"access_token": "an-opaque-token"}, remove=["id_token"])
    status, said, _ = sign_in(oidc_server, settings, ADA, "--user", ADA, "--switch")
    assert (status, held_entries(settings)[0].access_token) == (1, "")
    assert "that the server does not name" in said


def test_switch_hands_the_session_over(oidc_server, settings):
    sign_in(oidc_server, settings, ADA)
    assert sign_in(oidc_server, settings, GRACE, "--switch")[0] == 0
    assert held(settings) == [GRACE]


def test_after_a_logout_anybody_may_sign_in(oidc_server, settings):
    sign_in(oidc_server, settings, ADA)
    with lakekey("logout", environment=settings) as program:
        assert program.ends()[0] == 0
    assert sign_in(oidc_server, settings, GRACE)[0] == 0


def test_two_people_on_one_host_keep_two_sessions(oidc_server, settings):
    for user in (ADA, GRACE):
        assert sign_in(oidc_server, settings, user, "--user", user)[0] == 0
    assert held(settings) == [ADA, GRACE]
    for user in (ADA, GRACE):
        with lakekey("status", "--user", user, "--json", environment=settings) as program:
            assert json.loads(program.ends()[1])["identity"] == user


def test_named_user_without_the_servers_confirmation_is_refused(oidc_server, settings):
    opaque = {"access_token": "an-opaque-token"}
    oidc_server.fault("token", "edit", set=opaque)
    status, said, _ = sign_in(oidc_server, settings, ADA, "--user", ADA)
    assert status == 1
    assert "that the server does not name" in said


def test_where_no_token_tells_the_server_is_asked(tmp_path, monkeypatch):
    with Sandbox(opaque_tokens=True) as box:
        for name, value in {**environment(box, tmp_path / "cache"), "BROWSER": box.person(GRACE).command()}.items():
            monkeypatch.setenv(name, value)
        provider = product.provider(user=GRACE)
        provider.headers()
        assert provider.identity() == GRACE
        assert [record.route for record in box.log].count("scim") == 1


@pytest.fixture
def at_the_sandbox(lakekey_environment, monkeypatch):
    return lakekey_environment


def test_an_assumed_group_is_sent_and_kept_apart(at_the_sandbox, monkeypatch):
    plain, role = product.provider(), product.provider(group_id="4711")
    assert plain.headers() != role.headers()
    assert session_of(plain).entry_id != session_of(role).entry_id
    assert role.identity() == plain.identity() == at_the_sandbox.users[0]
    assert session_of(role).peek().about["group_id"] == "4711"


def test_a_token_for_another_group_than_was_assumed_is_refused(at_the_sandbox):
    wrong = product.provider(group_id="4711")
    # The server gives the role of the group that the request names: let it name another.
    client = session_of(wrong).renewal._sign_in._client
    session_of(wrong).renewal._sign_in._client = client._replace(assume_group="4712")
    with pytest.raises(product.WrongIdentity, match="the group 4712, but this profile assumes 4711"):
        wrong.login()
