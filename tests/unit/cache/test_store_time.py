"""Times of a store whose clock is another machine's."""

import time

import pytest

from lakekey.cache.entry import Entry, Failure
from lakekey.cache.store_time import StoreTime

AT = 1_800_000_000.0


def measured(*readings):
    """A clock that has seen readings of the store's time, each with how long the store took to answer."""
    clock = StoreTime()
    for ahead, took in readings:
        clock.observe(AT + ahead, AT - took / 2, AT + took / 2)
    return clock


def test_clock_is_believed_to_agree_before_anything_was_read():
    assert measured().ahead == 0.0
    clock = StoreTime()
    clock.observe(None, AT, AT)
    assert clock.ahead == 0.0


@pytest.mark.parametrize("ahead", [600.0, -600.0, 0.004])
def test_difference_is_measured_at_the_middle_of_the_question(ahead):
    assert measured((ahead, 0.0)).ahead == ahead
    assert measured((ahead, 3.0)).ahead == ahead


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((600, 0.0), (600.9, 0.0), 600),  # within the tolerance: times that are compared do not tremble
        ((600, 0.0), (599.1, 0.0), 600),
        ((600, 0.0), (601.1, 0.0), 601.1),
        ((600, 0.0), (598.9, 0.0), 598.9),
        ((600, 1.0), (601.9, 1.0), 600),  # within both errors as well
        ((600, 1.0), (602.1, 1.0), 602.1),
        ((600, 4.0), (601, 0.0), 601),  # the first was vague
        ((600, 1.8), (601, 0.0), 600),  # the first was not that vague
        ((600, 4.0), (601, 2.4), 600),  # neither is the second better
    ],
)
def test_difference_is_kept_until_a_measurement_contradicts_it(first, second, expected):
    assert measured(first, second).ahead == pytest.approx(expected)


def test_clock_that_stepped_back_during_the_question_counts_as_one_that_took_no_time():
    clock = StoreTime()
    clock.observe(AT, AT + 10, AT - 10)
    assert clock.ahead == 0.0
    clock.observe(AT + 1.5, AT, AT)
    assert clock.ahead == 1.5


def test_every_time_of_an_entry_is_moved_and_back():
    clock = measured((600.0, 0.0))
    entry = Entry(
        {}, issued_at=AT, expires_at=AT + 1, logged_in_at=AT + 2, refresh_expires_at=AT + 3, session_ends_at=AT + 4,
        refused=Failure("a", "b", AT + 5), failure=Failure("a", "b", AT + 6), spending=("n", "h", AT + 7, "d", False),
    )  # fmt: skip
    there = clock.there(entry)
    moved = [there.issued_at, there.expires_at, there.logged_in_at, there.refresh_expires_at, there.session_ends_at]
    moved += [there.refused.at, there.failure.at, there.spending[2]]
    assert moved == [AT + 600 + number for number in range(8)]
    assert there.spending == ("n", "h", AT + 607, "d", False)
    assert clock.here(there) == entry


def test_what_is_not_known_stays_so():
    entry = Entry({}, spending=("n", "h", 0.0, "d", False))
    assert measured((600.0, 0.0)).there(entry) == entry
    short = Entry({}, spending=("n", "h"))
    assert measured((600.0, 0.0)).there(short) == short


def test_now_is_the_stores():
    before = time.time()
    assert before + 600 <= measured((600.0, 0.0)).now() <= time.time() + 600
