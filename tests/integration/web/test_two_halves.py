"""`begin_sign_in` and `finish_sign_in`: a sign-in through routes of one's own. Codes of rows are those of the guide."""

import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import lakekey
from lakekey.cache.moving import move
from lakekey.cache.opening import open_cache
from lakekey.cache.rotation import rotate
from lakekey.errors import (
    ConfigurationError,
    CredentialsRefused,
    LoginDenied,
    LoginFailed,
    LoginRequired,
    LoginTimeout,
    TokenEndpointError,
    WrongIdentity,
)
from lakekey.web import User, begin_sign_in, finish_sign_in
from lakekey.web.browser import new_value
from lakekey.web.flows import row_of
from lakekey.web.registrations import Registrations
from lakekey.web.sign_in import SignIns, hosted_target
from support.inside import session_of
from support.web_people import parameters_of, query_of

from .conftest import ADA, GRACE


@pytest.fixture(autouse=True)
def no_warning_of_unattended_runs():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lakekey.ServicePrincipalMissingWarning)
        yield


class Attempt:
    """One sign-in, from its beginning to the answer that the browser brings."""

    def __init__(self, place, user=ADA, *, signs_in=None, browser=None, decision="sign-in"):
        self.user, self.place = user, place
        self.begun = begin_sign_in("prod", user=user, redirect_uri=place.redirect_uri, browser=browser)
        self.browser = self.begun.cookie.value
        name = signs_in or (user.name if isinstance(user, User) else user)
        self.answer = query_of(place.consent(self.begun.url, name, decision=decision))

    def finish(self, **changes):
        given = {"answer": self.answer, "user": self.user, "browser": self.browser, **changes}
        return finish_sign_in("prod", **given)


def connection(user=ADA):
    return session_of(lakekey.provider("prod", user=user)).peek()


def test_connected_person_is_used_by_every_process_of_the_store(place):
    begun = begin_sign_in("prod", user=ADA, redirect_uri=place.redirect_uri, return_to="/reports")
    answer = place.consent(begun.url)
    done = finish_sign_in("prod", answer=query_of(answer), user=ADA, browser=begun.cookie.value)
    assert (done.code, done.who, done.return_to) == ("connected", ADA, "/reports")
    ada = lakekey.provider("prod", user="Ada@Example.com")
    assert ada.headers()["Authorization"].startswith("Bearer ")
    assert ada.identity() == ADA


def test_b01_answer_in_a_browser_that_did_not_begin_is_refused_and_nothing_sent(place):
    attempt = Attempt(place)
    with pytest.raises(LoginFailed, match="another browser"):
        attempt.finish(browser=new_value())
    assert not place.token_requests()
    assert connection() is None


def test_b02_attackers_answer_in_a_victims_browser_is_refused(place):
    attackers, victims = Attempt(place, GRACE), Attempt(place, ADA)
    with pytest.raises(LoginFailed, match="another browser"):
        attackers.finish(user=ADA, browser=victims.browser)
    assert connection() is None


def test_b03_user_who_changed_between_start_and_finish_is_refused_by_name(place):
    attempt = Attempt(place, ADA)
    with pytest.raises(LoginFailed, match=f"{ADA} started the sign-in, and {GRACE} finished it"):
        attempt.finish(user=GRACE)
    assert not place.token_requests()


def test_b04_code_of_another_sign_in_is_not_exchanged(place):
    first, second = Attempt(place), Attempt(place)
    stolen, state = parameters_of(f"?{first.answer}")["code"], parameters_of(f"?{second.answer}")
    injected = second.answer.replace(state["code"], stolen)
    with pytest.raises(LoginFailed, match="did not accept the sign-in's code"):
        second.finish(answer=injected)
    assert connection() is None


def test_b05_same_answer_twice_is_one_exchange_with_one_outcome(place):
    attempt = Attempt(place)
    with ThreadPoolExecutor(4) as pool:
        codes = [future.exception() or future.result() for future in [pool.submit(attempt.finish) for _ in range(4)]]
    assert sum(getattr(each, "code", "") == "connected" for each in codes) >= 1
    assert attempt.finish().code == "connected"
    assert len(place.token_requests()) == 1


def test_b06_answer_after_ten_minutes_is_too_late(place):
    attempt = Attempt(place)
    late = SignIns(clock=lambda: time.time() + 601)
    received = late.receive(attempt.answer, browser=attempt.browser, registration="")
    assert isinstance(received.outcome.to_error(), LoginTimeout)


@pytest.mark.parametrize(
    "answer",
    ["", "code=x", "state=x&code=y", f"state={'0' * 32}.{'A' * 43}", "code=a&code=b&state=s", "code=" + "x" * 20000],
)
def test_b07_malformed_answer_is_refused_in_constant_words(place, answer):
    with pytest.raises(LoginFailed) as refusal:
        finish_sign_in("prod", answer=answer, user=ADA, browser=new_value())
    assert "not the answer to a sign-in that was started here" in str(refusal.value)


def test_b08_denial_leaves_the_connection_and_repeats_no_words_of_the_server(place):
    Attempt(place).finish()
    before = connection()
    denied = Attempt(place, decision="cancel")
    marked = f"{denied.answer}&error_description=%3Cscript%3Ealert(1)%3C/script%3E"
    with pytest.raises(LoginDenied) as refusal:
        denied.finish(answer=marked if "error_description" not in denied.answer else denied.answer)
    assert "<script>" not in str(refusal.value)
    assert connection() == before


def test_b09_answer_that_names_another_issuer_or_none_is_refused(place):
    attempt = Attempt(place)
    issuer = parameters_of(f"?{attempt.answer}")["iss"]
    assert issuer
    without = "&".join(part for part in attempt.answer.split("&") if not part.startswith("iss="))
    for forged in (without, f"{without}&iss=https%3A%2F%2Fevil.example.com"):
        with pytest.raises(LoginFailed, match="another authorization server"):
            attempt.finish(answer=forged)
    assert not place.token_requests()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"code_challenge_methods_supported": ["plain"]}, "S256"),
        ({"code_challenge_methods_supported": None}, "S256"),
    ],
)
def test_b10_server_that_does_not_offer_s256_is_refused(place, change, words):
    metadata = {
        "issuer": f"{place.box.host}/oidc",
        "authorization_endpoint": f"{place.box.host}/oidc/v1/authorize",
        "token_endpoint": f"{place.box.host}/oidc/v1/token",
        **{name: value for name, value in change.items() if value},
    }
    place.box.fault("discovery", body=metadata)
    with pytest.raises(LoginFailed, match=words):
        begin_sign_in("prod", user=ADA, redirect_uri=place.redirect_uri)


def test_b10_issuer_other_than_the_registered_one_is_refused(place):
    sign_ins = SignIns()
    target = hosted_target("prod", User(ADA), sign_ins.environ)
    with pytest.raises(LoginFailed, match=r"and https://login\.example\.com is registered"):
        sign_ins.begin(
            target, User(ADA), redirect_uri=place.redirect_uri, registration="", browser=new_value(),
            issuer="https://login.example.com",
        )  # fmt: skip


def test_b17_two_tabs_of_one_browser_both_finish(place):
    first = Attempt(place)
    second = Attempt(place, browser=first.browser)
    assert second.browser == first.browser
    assert (first.finish().code, second.finish().code) == ("connected", "connected")


def test_b18_two_users_of_two_browsers_are_independent(place):
    ada, grace = Attempt(place, ADA), Attempt(place, GRACE)
    assert (grace.finish().who, ada.finish().who) == (GRACE, ADA)
    assert (connection(ADA).identity, connection(GRACE).identity) == (ADA, GRACE)


def test_b20_browser_that_returns_no_cookie_is_reported(place):
    with pytest.raises(LoginFailed, match="did not send the cookie"):
        Attempt(place).finish(browser=None)
    assert not place.token_requests()


def test_b23_other_person_than_the_user_is_not_stored_and_given_back(place):
    place.box.revoke(GRACE)
    with pytest.raises(WrongIdentity, match=f"{GRACE} signed in, and {ADA} was expected"):
        Attempt(place, ADA, signs_in=GRACE).finish()
    assert connection() is None
    assert len(place.box.stored_refresh_tokens(GRACE)) == 0


def test_b24_reconnecting_as_another_person_keeps_the_old_connection(place):
    Attempt(place).finish()
    before = connection()
    with pytest.raises(WrongIdentity):
        Attempt(place, ADA, signs_in=GRACE).finish()
    assert connection() == before


def test_b25_answer_without_refresh_token_names_the_scope_and_keeps_the_connection(place):
    Attempt(place).finish()
    before = connection()
    attempt = Attempt(place)
    answer = {"access_token": "an-access-token", "token_type": "Bearer", "expires_in": 3600}
    place.box.fault("token", body=answer)
    with pytest.raises(LoginFailed, match="no refresh token"):
        attempt.finish()
    assert connection() == before


def test_b25_answer_with_fewer_scopes_names_them_and_keeps_the_connection(place):
    Attempt(place).finish()
    before, again = connection(), Attempt(place)
    fewer = {"access_token": "an-access-token", "refresh_token": "a-refresh-token", "token_type": "Bearer"}
    place.box.fault("token", body={**fewer, "expires_in": 3600, "scope": "openid email"})
    with pytest.raises(LoginFailed, match=r"fewer scopes than the app asks for .*all-apis"):
        again.finish()
    assert connection() == before
    assert [record.status for record in place.box.log if record.route == "revoke"] == [200]  # it was given back


def test_b25_person_outside_the_workspace_is_reported(place):
    attempt = Attempt(place)
    place.box.fault("scim", status=403, body={"message": "not a member"})
    with pytest.raises(LoginFailed, match=f"{ADA} is not a member of the workspace"):
        attempt.finish()
    assert connection() is None


def test_b27_store_that_is_away_redeems_nothing_and_the_same_step_works_later(place):
    attempt = Attempt(place)
    folder = Path(open_cache().store.where) / "entries"
    folder.rename(folder.with_name("away"))
    folder.write_text("a file where the folder was")
    with pytest.raises(lakekey.CacheError):
        attempt.finish()
    assert not place.token_requests()
    folder.unlink()
    folder.with_name("away").rename(folder)
    assert attempt.finish().code == "connected"


def test_b28_answer_may_come_to_another_worker_than_the_start(place):
    attempt = Attempt(place)
    assert SignIns().receive(attempt.answer, browser=attempt.browser, registration="").outcome is None


def test_b29_sign_ins_that_one_user_abandons_are_bounded(place):
    browser = new_value()
    for _ in range(25):
        begin_sign_in("prod", user=ADA, redirect_uri=place.redirect_uri, browser=browser)
    rows = [name for name in open_cache().store.list() if name.startswith("web-flows-")]
    assert rows == [f"web-flows-{row_of(ADA)}"]
    assert len(open_cache().get(rows[0]).about["flows"]) == 16
    assert Attempt(place, GRACE).finish().code == "connected"


def test_b35_one_person_has_one_key_however_the_name_is_written(place):
    Attempt(place, "Ada@EXAMPLE.com", signs_in=ADA).finish()
    assert connection(ADA).identity == ADA
    assert all("/" not in name and "@" not in name for name in open_cache().store.list())


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 321, 7, None])
def test_b35_what_cannot_be_a_name_is_refused(place, name):
    with pytest.raises(ConfigurationError):
        begin_sign_in("prod", user=name, redirect_uri=place.redirect_uri)


@pytest.mark.parametrize("name", ["../../etc/passwd", "a+b@example.com", "ada@example.com/../grace@example.com"])
def test_b35_name_is_never_a_path(place, name, bare_machine):
    begin_sign_in("prod", user=name, redirect_uri=place.redirect_uri)
    assert {path.name for path in bare_machine.iterdir()} <= {"cache"}


def test_b44_older_secret_is_sent_while_the_new_one_is_not_known_yet(place):
    Registrations(open_cache()).rotate_secret(place.app, "a-secret-that-the-server-does-not-know-yet")
    assert Attempt(place).finish().code == "connected"


def test_b44_wrong_secret_is_for_the_administrator(place):
    Registrations(open_cache()).rotate_secret(place.app, "a-wrong-secret", keep_older=False)
    with pytest.raises(CredentialsRefused, match="the server refuses the app"):
        Attempt(place).finish()


def test_rotation_of_the_key_loses_no_app_and_no_sign_in_that_is_under_way(place):
    attempt = Attempt(place)
    for _ in range(2):
        rotate(open_cache())
    assert [app.name for app in Registrations(open_cache()).all()] == [place.app]
    assert attempt.finish().code == "connected"
    assert Attempt(place).finish().code == "connected"


def test_apps_and_sign_ins_move_to_another_store_with_the_sessions(place, tmp_path):
    Attempt(place).finish()
    target = open_cache(place=f"file:{tmp_path / 'other'}")
    moved = move(open_cache(), target)
    assert "web-apps" in moved.moved
    assert [app.name for app in Registrations(target).all()] == [place.app]


def test_b43_endpoint_in_trouble_is_tried_later(place):
    attempt = Attempt(place)
    place.box.fault("token", status=500, body="<html>oops</html>")
    with pytest.raises(TokenEndpointError):
        attempt.finish()


def test_b15_redirect_uri_in_clear_is_refused(place):
    with pytest.raises(ConfigurationError, match="is not an address that sign-ins can come back to"):
        begin_sign_in("prod", user=ADA, redirect_uri="http://portal.example.com/callback")


def test_b48_person_who_never_connected_gets_the_link(place):
    with pytest.raises(LoginRequired) as refusal:
        lakekey.provider("prod", user=ADA).headers()
    assert refusal.value.url == f"{place.url}/#prod"
    assert f"{ADA} connects at {place.url}/#prod" in str(refusal.value)


def test_b48_process_without_the_portals_store_finds_no_connection_and_opens_no_browser(place, tmp_path, monkeypatch):
    Attempt(place).finish()
    monkeypatch.setenv("LAKEKEY_CACHE_DIR", str(tmp_path / "of-another-host"))
    with pytest.raises(LoginRequired) as refusal:
        lakekey.provider("prod", user=ADA).headers()
    assert refusal.value.url is None  # it knows of no portal
    assert "set LAKEKEY_STORE, or LAKEKEY_CACHE_DIR, as the portal has it" in refusal.value.hint
    assert not (tmp_path / "of-another-host").exists()
