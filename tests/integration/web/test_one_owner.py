"""A name is one person: who administers, who acts for another, and whose connection it is when a name changes hands."""

import asyncio
import contextlib
import functools
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.datastructures import Headers

from lakekey.errors import ConfigurationError, LoginRequired
from lakekey.session.session import Session
from lakekey.web import Portal, Schedule, User, begin_sign_in, finish_sign_in, flows
from lakekey.web.people import user_of
from lakekey.web.sign_in import SignIns
from lakekey.web.user_header import UserHeader
from support.waiting import until
from support.web_people import query_of

from .conftest import ADA, GRACE, URL

FIRST, SECOND = User(ADA, "first"), User(ADA, "second")


def portal_with(**options):
    return Portal(["prod"], url=URL, user=lambda request: None, **options)


@pytest.fixture
def portal(place):
    return portal_with()


@pytest.fixture
def connect(place):
    """Connects a user, who signs in as Ada."""

    def connect(user):
        begun = begin_sign_in("prod", user=user, redirect_uri=place.redirect_uri)
        answer = query_of(place.consent(begun.url, ADA))
        return finish_sign_in("prod", answer=answer, user=user, browser=begun.cookie.value).code

    return connect


# -- who administers, who may act -------------------------------------------------------------------------------


async def everyone_may(*_):
    return True


class AsyncYes:
    """A callable object whose call is a coroutine function."""

    async def __call__(self, *_):
        return True


@pytest.mark.parametrize("setting", ["admin", "may_act"])
@pytest.mark.parametrize("function", [everyone_may, AsyncYes(), functools.partial(everyone_may, 1)])
def test_coroutine_function_decides_nothing_and_is_refused_at_once(place, setting, function):
    with pytest.raises(ConfigurationError, match=f"{setting} is a coroutine function"):
        portal_with(**{setting: function})


@pytest.mark.parametrize("answer", [everyone_may, lambda: "no", lambda: 1, lambda: [False]])
def test_only_true_is_a_yes(place, answer):
    portal = portal_with(admin=lambda user: answer(), may_act=lambda *_: answer())
    assert not portal.is_admin(User(ADA))
    with pytest.raises(ConfigurationError, match="may not act"):
        portal.provider(ADA, "prod", actor=GRACE)


@pytest.mark.parametrize("admin", [ADA, User(ADA), [ADA], {User(ADA)}])
def test_administrator_by_name_is_one_person(place, admin):
    portal = portal_with(admin=admin)
    assert portal.is_admin(User(ADA))
    assert not any(portal.is_admin(User(name)) for name in (*ADA, GRACE, "first"))


def test_administrator_with_an_id_is_not_the_next_person_of_that_name(place):
    portal = portal_with(admin=FIRST)
    assert portal.is_admin(FIRST)
    assert not any(map(portal.is_admin, (SECOND, User(ADA), User("first"))))


# -- names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", ["\x1f", "\x1c", "\x85", "\xa0", "\u3000", "\u2028", "\n", "\t", " "])
@pytest.mark.parametrize("name", ["{0}{1}", "{1}{0}"])
def test_name_does_not_become_anothers_by_what_is_taken_off(name, extra):
    with pytest.raises(ConfigurationError, match="unprintable"):
        user_of(name.format(ADA, extra))


def user_by_header(*headers, id_name=None):
    """Who is at the browser, by headers in the bytes in which a proxy sends them."""
    raw = [(name.lower().encode(), value) for name, value in headers]
    request = type("Request", (), {"client": type("Client", (), {"host": "10.1.2.3"}), "headers": Headers(raw=raw)})
    return UserHeader("X-User", ["10.1.2.3"], id_name=id_name)(request)


@pytest.mark.parametrize("name", ["zoë@example.com", "ada@example.комà", "à", "Å", "李@example.com", "ada\u0305"])
def test_header_names_people_in_utf8_each_by_their_own_name(name):
    assert user_by_header(("X-User", b" \t" + name.encode() + b" ")) == user_of(name)


@pytest.mark.parametrize("value", [b"ada\xa0", b"\x85ada", b"ada\xc3", b"zo\xeb@example.com", b"ada\xc2\xa0"])
def test_header_of_other_bytes_names_no_user(value):
    assert user_by_header(("X-User", value)) is None
    assert user_by_header(("X-User", b"ada"), ("X-Id", value), id_name="X-Id") != User("ada", "ada")


@pytest.mark.parametrize(
    "headers", [[], [("X-Id", b"")], [("X-Id", b" ")], [("X-Id", b"1"), ("X-Id", b"2")], [("X-Id", b"\xff")]]
)
def test_request_without_the_id_that_is_demanded_names_no_user(headers):
    assert user_by_header(("X-User", ADA.encode()), *headers, id_name="X-Id") is None
    assert user_by_header(("X-User", ADA.encode()), ("X-Id", b" \xc3\xa0"), id_name="X-Id") == User(ADA, "à")


# -- a name that was given to another person --------------------------------------------------------------------


def test_actor_of_the_same_name_is_the_same_person_only_with_the_same_id(place, connect):
    asked = []
    portal = portal_with(may_act=lambda *who: asked.append(who))
    assert connect(FIRST) == "connected"
    for actor in (SECOND, ADA):
        with pytest.raises(ConfigurationError, match="may not act"):
            portal.provider(FIRST, "prod", actor=actor)
    assert [actor for actor, _, _ in asked] == [SECOND, User(ADA)]
    with pytest.raises(LoginRequired):
        portal.provider(ADA, "prod", actor=SECOND)
    assert portal.provider(ADA, "prod", actor=FIRST).identity() == ADA
    assert portal.provider(FIRST, "prod", actor=FIRST).identity() == ADA


def test_new_owner_of_a_name_does_not_disconnect_the_earlier_one(portal, connect):
    assert connect(FIRST) == "connected"
    token = Session(portal.target("prod", FIRST)).peek().refresh_token
    assert portal.disconnect(SECOND, "prod") == (False, None)
    assert Session(portal.target("prod", FIRST)).peek().refresh_token == token
    assert portal.disconnect(FIRST, "prod") == (True, "revoked")


@contextlib.contextmanager
def changing_hands(session):
    """A connection that becomes the next owner's while something waits for its lock; gives what waits for that."""

    def wait():
        until(lambda: any(thread.name == "lakekey-exchange" for thread in threading.enumerate()))

    with session.cache.locked(session.entry_id, patience=30) as stored:
        yield wait
        about = {**stored.entry.about, "portal_user": SECOND._asdict()}
        assert session.cache.put(session.entry_id, stored.entry._replace(about=about), replaces=stored.envelope)


def test_connection_that_changes_hands_during_a_disconnect_stays_and_is_not_revoked(portal, connect, place):
    assert connect(FIRST) == "connected"
    session = Session(portal.target("prod", FIRST))
    with ThreadPoolExecutor(1) as pool:
        with changing_hands(session) as wait:
            removing = pool.submit(portal.disconnect, FIRST, "prod")
            wait()
        assert removing.result(60) == (False, None)
    assert session.peek().about["portal_user"]["id"] == SECOND.id
    assert not [record for record in place.box.log if record.route == "revoke"]


@pytest.mark.parametrize("is_offered", [True, False], ids=["offered", "of a profile that is gone"])
def test_connection_that_changes_hands_after_it_was_listed_is_not_removed(portal, connect, place, is_offered):
    assert connect(FIRST) == "connected"
    (listed,) = portal.everyone.all()
    session = Session(portal.target("prod", FIRST))
    with changing_hands(session):
        pass
    assert portal.everyone._remove(listed._replace(offered=is_offered)) is None
    assert session.peek().about["portal_user"]["id"] == SECOND.id
    assert not [record for record in place.box.log if record.route == "revoke"]


def test_sign_ins_of_a_namesake_push_none_of_anothers_out(place):
    sign_ins = SignIns()
    first = begin_sign_in("prod", user=FIRST, redirect_uri=place.redirect_uri)
    for _ in range(flows.MOST_OF_A_USER + 1):
        begin_sign_in("prod", user=SECOND, redirect_uri=place.redirect_uri)
    query = query_of(place.consent(first.url, ADA))
    assert sign_ins.receive(query, browser=first.cookie.value, registration="").outcome is None


def test_provider_of_the_earlier_owner_does_not_go_on_with_the_next_ones_token(portal, connect):
    assert connect(FIRST) == "connected"
    earlier = portal.provider(FIRST, "prod")
    copy = pickle.loads(pickle.dumps(earlier))
    own = earlier.headers()
    assert earlier.headers() == own == copy.headers()
    assert connect(SECOND) == "connected"
    next_one = portal.provider(SECOND, "prod").token()
    end_token(earlier)
    end_token(copy)
    for provider in (earlier, copy):
        for use in (provider.headers, provider.token, lambda given=provider: asyncio.run(given.atoken())):
            with pytest.raises(LoginRequired):
                use()
        with pytest.raises(LoginRequired):
            provider.invalidate(own["Authorization"].removeprefix("Bearer "))
        assert provider.needs_login()
        assert provider.identity() is None
        assert not provider.logout()
    assert portal.provider(SECOND, "prod").token() == next_one


def test_token_of_the_next_owner_that_is_in_memory_already_is_not_handed_out_either(portal, connect):
    assert connect(FIRST) == "connected"
    provider = portal.provider(FIRST, "prod")
    provider.token()
    assert connect(SECOND) == "connected"
    end_token(provider)
    others = provider._source._source.headers()  # as the renewal in the background takes it
    assert portal.disconnect(SECOND, "prod") == (True, "revoked")
    with pytest.raises(LoginRequired):
        provider.headers()
    assert connect(FIRST) == "connected"
    own = Session(portal.target("prod", FIRST)).peek().access_token
    assert provider.headers() == {"Authorization": f"Bearer {own}"} != others
    assert provider.token().access_token == own


def test_connection_of_the_earlier_owner_is_revoked_when_the_next_one_connects(portal, connect, place, caplog):
    def revocations():
        return [record.status for record in place.box.log if record.route == "revoke"]

    before = revocations()
    assert (connect(FIRST), connect(FIRST), connect(ADA)) == ("connected",) * 3
    assert revocations() == before  # a second device of the same person may still use it
    assert connect(FIRST) == "connected"
    earlier = Session(portal.target("prod", FIRST)).peek().refresh_token
    caplog.set_level("INFO", "lakekey.audit")
    caplog.clear()
    assert connect(SECOND) == "connected"
    said = [getattr(each, "lakekey.event") for each in caplog.records if each.name == "lakekey.audit"]
    assert said == ["sign_out", "sign_in"]
    assert revocations() == [*before, 200]
    assert place.box.revoke(token=earlier) == 0  # there is nothing left of it to revoke
    assert portal.provider(SECOND, "prod").identity() == ADA


def test_schedule_of_the_earlier_owner_does_not_rely_on_the_next_ones_connection(portal, connect):
    assert connect(SECOND) == "connected"
    checks = portal.check_schedules(Schedule("daily", "prod", who) for who in (FIRST, SECOND))
    assert [(each.verdict, each.user) for each in checks] == [("fails", ADA), ("warning", ADA)]


def test_provider_that_is_made_while_its_connection_is_removed_serves_no_longer(portal, connect):
    assert connect(ADA) == "connected"
    portal.provider(ADA, "prod")
    session = Session(portal.target("prod", User(ADA)))
    with ThreadPoolExecutor(1) as pool:
        with session.cache.lock(session.entry_id) as held:
            assert held
            removal = pool.submit(portal.disconnect, ADA, "prod")
            until(lambda: not portal._providers)
            portal.provider(ADA, "prod")
        assert removal.result(60) == (True, "revoked")
    with pytest.raises(LoginRequired):
        portal.provider(ADA, "prod")


def end_token(provider):
    """Lets the token that a provider has in memory have ended, as an hour would."""
    source = provider._source._source
    source._snapshot, source._fresh = None, (0.0, 0.0, "", 0.0)
