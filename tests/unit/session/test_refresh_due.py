"""When an unused refresh token is due to be renewed, and when it and its session end."""

import pytest

from lakekey.cache.entry import Entry
from lakekey.configuration.target import resolve
from lakekey.session.refresh_due import end_of, is_due, lapse_of

DAY = 86400.0
NOW = 1_000_000_000.0


@pytest.mark.parametrize(
    ("renewed", "lapses", "ends", "due"),
    [
        (-2, 5, 0, False),
        (-4, 3, 0, True),  # in the second half of its life
        (-4, -1, 0, True),  # late, and still worth a try
        (-0.5, 0, 0, False),
        (-1.5, 0, 0, True),  # how long it lives is not known
        (-4, 3, 2, False),  # the session ends before it does
        (-4, 3, 5, True),
        (-3.25, 3.75, 0, False),
        (-1, 0, 0, True),
        (-59 / DAY, 0.0001, 0, False),  # never more often than once a minute
        (-60 / DAY, 0.0001, 0, True),
    ],
)
def test_refresh_token_is_due_in_the_second_half_of_its_life(renewed, lapses, ends, due):
    entry = Entry({}, issued_at=NOW + renewed * DAY, refresh_token="r")
    after = {name: NOW + days * DAY if days else 0.0 for name, days in (("lapses", lapses), ("ends", ends))}
    assert is_due(entry, after["lapses"], after["ends"], NOW) is due


def target(**minutes):
    return resolve(None, {}, host="https://h.example.com", **minutes)


def test_end_of_a_refresh_token_is_what_the_server_said_else_what_is_configured():
    configured = target(refresh_token_lifetime_in_minutes="30")
    assert lapse_of(Entry({}, issued_at=NOW, refresh_expires_at=NOW + 60), configured) == NOW + 60
    assert lapse_of(Entry({}, issued_at=NOW), configured) == NOW + 1800
    assert lapse_of(Entry({}, issued_at=NOW), None) == 0


def test_end_of_a_session_counts_from_the_sign_in():
    configured = target(absolute_session_lifetime_in_minutes="30")
    assert end_of(Entry({}, logged_in_at=NOW, session_ends_at=NOW + 60), configured) == NOW + 60
    assert end_of(Entry({}, issued_at=NOW + 600, logged_in_at=NOW), configured) == NOW + 1800
    assert end_of(Entry({}, issued_at=NOW), configured) == 0
    assert end_of(Entry({}, logged_in_at=NOW), target()) == 0
