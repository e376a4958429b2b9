"""When a token is fresh, stale or expired."""

import pytest

from lakekey.session.expiry import is_live, margin, stale_at

HOUR = 3600.0
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
