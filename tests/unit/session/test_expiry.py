"""When a token is fresh, stale or expired."""

import pytest

from lakekey.cache.entry import Entry
from lakekey.session.expiry import (
    is_live,
    is_on_trial,
    margin,
    nears_end,
    replaced_before_its_time,
    session_end,
    stale_at,
)

HOUR = 3600.0
DAY = 86400.0
NOW = 1_800_000_000.0


@pytest.mark.parametrize(("lifetime", "seconds"), [(HOUR, 40.0), (86400.0, 40.0), (60.0, 9.0), (2.0, 0.3), (0.0, 0.0)])
def test_the_margin_is_40_seconds_and_less_for_tokens_that_live_for_seconds(lifetime, seconds):
    assert margin(lifetime) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("after", "live"), [(0, True), (HOUR - 41, True), (HOUR - 40, False), (HOUR, False), (2 * HOUR, False)]
)
def test_a_token_lives_until_its_margin(after, live):
    assert is_live(NOW, NOW + HOUR, NOW + after) is live


@pytest.mark.parametrize(("before", "live"), [(29, True), (31, False), (86400, False)])
def test_a_token_from_the_future_does_not_serve(before, live):
    assert is_live(NOW, NOW + HOUR, NOW - before) is live


def test_a_token_without_a_lifetime_is_never_live():
    assert not is_live(NOW, NOW, NOW)


@pytest.mark.parametrize(("lifetime", "longest"), [(HOUR, 1200.0), (86400.0, 1200.0), (600.0, 300.0), (2.0, 1.0)])
def test_a_token_goes_stale_half_its_life_or_20_minutes_before_its_end(lifetime, longest):
    ahead = [NOW + lifetime - stale_at(NOW, NOW + lifetime) for _ in range(300)]
    grain = 1e-5  # what a float of epoch seconds can tell apart
    assert 0.8 * longest - grain <= min(ahead) <= max(ahead) <= longest + grain


def test_processes_do_not_all_wake_at_once():
    assert len({stale_at(NOW, NOW + HOUR) for _ in range(100)}) > 20


def test_a_token_that_ended_before_it_was_issued_is_stale_at_its_end():
    assert stale_at(NOW, NOW - 5) == NOW - 5


@pytest.mark.parametrize(
    ("after", "early"), [(-1, False), (0, True), (HOUR / 2, True), (HOUR - 1200, False), (HOUR + 1, False)]
)
def test_token_that_is_replaced_before_it_is_stale_was_refused(after, early):
    assert replaced_before_its_time(NOW, NOW + HOUR, NOW + after) is early


@pytest.mark.parametrize(
    ("on_trial", "after", "still"),
    [(True, 0, True), (True, 29, True), (True, 30, False), (True, -1, False), (False, 1, False)],
)
def test_token_is_on_trial_for_30_seconds(on_trial, after, still):
    assert is_on_trial(Entry({}, issued_at=NOW, on_trial=on_trial), NOW + after) is still


@pytest.mark.parametrize(
    ("token", "refresh_end", "end", "expected"),
    [("r", NOW, NOW + 1, NOW), ("r", 0.0, NOW, NOW), ("r", NOW, 0.0, NOW), ("r", 0.0, 0.0, 0.0), ("", NOW, NOW, 0.0)],
)
def test_session_ends_with_its_refresh_token_or_at_its_own_end(token, refresh_end, end, expected):
    entry = Entry({}, refresh_token=token, refresh_expires_at=refresh_end, session_ends_at=end)
    assert session_end(entry) == expected


@pytest.mark.parametrize(("life", "left"), [(10 * DAY, DAY), (DAY, 0.2 * DAY)])
def test_end_is_near_in_the_last_day_and_in_the_last_fifth_of_a_short_session(life, left):
    by_refresh = Entry({}, refresh_token="r", issued_at=NOW, refresh_expires_at=NOW + life)
    by_session = Entry({}, refresh_token="r", logged_in_at=NOW, session_ends_at=NOW + life)
    for entry in (by_refresh, by_session):
        assert nears_end(entry, NOW + life - left + 0.5)
        assert not nears_end(entry, NOW + life - left - 0.5)
        assert not nears_end(entry._replace(refresh_token=""), NOW + life)
    assert not nears_end(Entry({}, refresh_token="r"), NOW)
