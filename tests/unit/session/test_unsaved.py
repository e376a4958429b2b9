"""Answers that a process holds since they could not be stored, and the sessions that they belong to."""

import pytest

from lakekey.cache.entry import Entry, Failure
from lakekey.session import unsaved

KEY = "the store:the entry:the secret"
OVER = Failure("login_required", "the session is over", 1.0)
ANSWER = Entry({}, refresh_token="its-successor", logged_in_at=1000.0)


@pytest.fixture(autouse=True)
def forgotten():
    yield
    unsaved.drop(KEY)


def test_answer_is_kept_until_it_is_dropped():
    assert unsaved.get(KEY) is None
    unsaved.keep(KEY, "spent", ANSWER)
    assert unsaved.get(KEY) == ("spent", ANSWER)
    unsaved.drop(KEY)
    assert unsaved.get(KEY) is None
    unsaved.drop(KEY)


def test_no_token_is_in_what_is_shown_of_an_answer():
    unsaved.keep(KEY, "spent-token", ANSWER)
    assert "its-successor" not in repr(unsaved.get(KEY))
    assert "spent-token" not in repr(unsaved.get(KEY))


@pytest.mark.parametrize(
    ("stored", "given_up"),
    [
        (Entry({}, logged_in_at=1000.0, refused=OVER), True),
        (Entry({}, logged_in_at=1004.0, refused=OVER), True),  # by another host's clock
        (Entry({}, logged_in_at=996.0, refused=OVER), True),
        (Entry({}, logged_in_at=1007.0, refused=OVER), False),  # a newer sign-in
        (Entry({}, logged_in_at=993.0, refused=OVER), False),
        (Entry({}, logged_in_at=1000.0), False),
        (Entry({}, logged_in_at=1000.0, refresh_token="lives", refused=OVER), False),
    ],
)
def test_answer_revives_the_very_session_that_was_given_up(stored, given_up):
    assert unsaved.was_given_up(ANSWER, stored) is given_up
    assert unsaved.revives(KEY, stored) is False
    unsaved.keep(KEY, "spent", ANSWER)
    assert unsaved.revives(KEY, stored) is given_up
