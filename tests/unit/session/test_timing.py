"""How long the steps of a session take: what one number says about another, and what the pages say."""

from pathlib import Path

from lakekey.configuration.validation import DEFAULT_LOCK_TIMEOUT
from lakekey.session.intent import OUTCOME_AFTER
from lakekey.session.timing import USUAL


def test_waiters_outlast_a_holder_that_retries():
    assert USUAL.exchange_deadline < DEFAULT_LOCK_TIMEOUT
    assert USUAL.exchange_deadline + 5.0 <= OUTCOME_AFTER  # 45 s to act on an intent, and 50 s to wait for it


def test_pauses_of_one_exchange_last_three_seconds_at_most():
    longest = 1.5 * sum(USUAL.first_pause * 2**number for number in range(USUAL.attempts - 1))
    assert longest < 3.0
    assert USUAL.attempts == 4


def test_token_that_is_stale_is_tried_again_when_the_endpoint_is_no_longer_left_alone():
    assert USUAL.early_pause == 10.0
    assert USUAL.stale_pause == USUAL.early_pause


def test_person_is_told_after_a_second_what_is_waited_for():
    assert USUAL.wait_notice == 1.0


def test_no_tab_opens_unasked_for_as_long_as_the_page_on_logins_says():
    page = (Path(__file__).parents[3] / "docs/guides/login.md").read_text("utf-8")
    assert f"For {USUAL.login_cool_down:g} seconds nothing but `lakekey login` asks a person again." in page
