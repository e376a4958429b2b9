"""How a connection stands, by what is stored of it."""

import pytest

from lakekey.cache.entry import Entry, Failure
from lakekey.configuration.target import resolve
from lakekey.web import connections
from lakekey.web.connections import connection_of
from lakekey.web.people import User

NOW = 1_800_000_000.0
DAY = 86400.0
ADA = User("ada@example.com", "17")
TARGET = resolve(None, {}, host="https://x.cloud.databricks.com", user=ADA.name)
LIVE = Entry(
    {"portal_user": {"name": ADA.name, "id": ADA.id}},
    access_token="dose-of-access",
    refresh_token="dose-of-refresh",
    issued_at=NOW - 60,
    expires_at=NOW + 3540,
    logged_in_at=NOW - 60,
    identity=ADA.name,
)
EXPIRED = LIVE._replace(issued_at=NOW - 7200, expires_at=NOW - 3600)


def failed(code):
    return Failure(code, "the server's words", NOW - 30, None, None)


def state(entry, user=ADA):
    return connection_of(TARGET, entry, user, now=NOW).state


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (None, connections.NOT_CONNECTED),
        (LIVE._replace(refresh_token=""), connections.NOT_CONNECTED),
        (LIVE, connections.CONNECTED),
        (EXPIRED, connections.CONNECTED),  # it is renewed with the next use
        (LIVE._replace(session_ends_at=NOW + 30 * DAY), connections.CONNECTED),
        (LIVE._replace(session_ends_at=NOW + 2 * DAY), connections.ENDS_SOON),
        (LIVE._replace(session_ends_at=NOW - 1), connections.SIGN_IN_AGAIN),
        (EXPIRED._replace(refused=failed("login_required"), refresh_token=""), connections.SIGN_IN_AGAIN),
        (LIVE._replace(failure=failed("token_endpoint")), connections.CONNECTED),
        (EXPIRED._replace(failure=failed("token_endpoint")), connections.TRY_LATER),
        (EXPIRED._replace(failure=failed("store_unavailable")), connections.TRY_LATER),
        (EXPIRED._replace(failure=failed("credentials_refused")), connections.ASK_ADMINISTRATOR),
    ],
)
def test_expired_access_token_is_no_news_and_each_trouble_has_a_state_of_its_own(entry, expected):
    assert state(entry) == expected


def test_dead_connection_says_who_it_was_since_when_and_why():
    dead = connection_of(TARGET, EXPIRED._replace(refused=failed("login_required")), ADA, now=NOW)
    assert (dead.who, dead.why, dead.since.timestamp()) == (ADA.name, "the server's words", NOW - 30)


def test_connection_of_an_earlier_owner_of_the_name_is_not_shown():
    assert state(LIVE, User(ADA.name, "18")) == connections.NOT_CONNECTED
    assert state(LIVE, User(ADA.name)) == connections.CONNECTED
