"""What stores that hosts share do alike: asking again, believing no reply blindly, and the key's lease."""

import contextlib
import logging
import math
import time
from types import SimpleNamespace

import pytest

from lakekey.cache.stores import alike
from lakekey.cache.stores.alike import (
    TRIES,
    Unreadable,
    bytes_of,
    changing_key,
    obeyed,
    page_of,
    patience_of,
    reach_and_clock,
    reading_of,
    retried,
    settled,
    spoken,
    understood,
)
from lakekey.cache.stores.findings import OK, WARNING
from lakekey.cache.stores.store import reply_lost
from lakekey.errors import CacheError, CacheWriteFailed, ConfigurationError, LockTimeout, StoreUnavailable

AWAY = StoreUnavailable("away", hint="start it")


class Asked:
    """Answers in turn, of which errors are raised."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.times = 0

    def __call__(self):
        self.times += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def lost(number):
    return [reply_lost(f"no reply {each}") for each in range(number)]


def never(_):
    raise KeyError("dose-of-sesame")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RecursionError("deep"), "what it says cannot be read (RecursionError)"),
        (UnicodeEncodeError("idna", "…", 0, 1, "too long"), "its host has a name that cannot be looked up"),
    ],
)
def test_what_a_library_raises_for_bytes_that_it_cannot_read_is_one_error(error, said):
    with pytest.raises(Unreadable) as caught:
        spoken(Asked(error))
    assert (str(caught.value), caught.value.__cause__, caught.value.__context__) == (said, None, None)


def test_other_errors_of_a_library_are_left_as_they_are():
    with pytest.raises(OSError, match="its own"):
        spoken(Asked(OSError("its own")))
    with pytest.raises(Unreadable):
        spoken(Asked(OSError("its own")), OSError)
    assert spoken(lambda: 7) == 7


def test_fault_of_ours_in_a_library_leaves_its_place_in_the_log_and_nothing_of_what_was_said(caplog):
    caplog.set_level(logging.DEBUG, "lakekey")
    with pytest.raises(Unreadable):
        spoken(lambda: never(7))
    [record] = caplog.records
    assert (record.levelno, record.name) == (logging.DEBUG, "lakekey.cache")
    assert record.getMessage().endswith(f"KeyError at {__file__}:{never.__code__.co_firstlineno + 1}")
    assert "dose" not in caplog.text


def test_question_whose_reply_was_lost_is_asked_again_four_times_in_all():
    ask = Asked(*lost(3), "the answer")
    assert retried(ask) == "the answer"
    assert ask.times == TRIES == 4
    with pytest.raises(StoreUnavailable, match="no reply 3"):
        retried(Asked(*lost(4)))


def test_store_that_lets_each_question_wait_is_asked_twice(monkeypatch):
    times = iter([0.0, 30.0, 60.0, 90.0])
    monkeypatch.setattr(alike, "time", SimpleNamespace(monotonic=lambda: next(times)))
    ask = Asked(*lost(4))
    with pytest.raises(StoreUnavailable, match="no reply 1"):
        retried(ask)
    assert ask.times == 2


def test_write_that_each_reply_lets_wait_is_tried_twice_and_looked_for_each_time(monkeypatch):
    times = iter([0.0, 30.0, 60.0, 90.0])
    monkeypatch.setattr(alike, "time", SimpleNamespace(monotonic=lambda: next(times)))
    write, look = Asked(*lost(4)), Asked(*[None] * 4)
    with pytest.raises(StoreUnavailable, match="no reply 1"):
        settled(write, look)
    assert (write.times, look.times) == (2, 2)


def test_what_was_in_doubt_once_stays_so_where_the_store_goes_away_meanwhile():
    def away():
        return StoreUnavailable("away", hint="start it")

    with pytest.raises(StoreUnavailable, match="away") as asked:
        retried(Asked(*lost(1), away()))
    with pytest.raises(StoreUnavailable, match="away") as written:
        settled(Asked(*lost(1), away()), Asked(None))
    with pytest.raises(StoreUnavailable, match="away") as looked:
        settled(Asked(*lost(1)), Asked(away()))
    with pytest.raises(StoreUnavailable, match="away") as at_first:
        settled(Asked(away()), Asked())
    assert [each.value.in_doubt for each in (asked, written, looked, at_first)] == [True, True, True, False]


@pytest.mark.parametrize("error", [CacheError, CacheWriteFailed])
def test_what_was_in_doubt_once_stays_so_where_the_store_refuses_meanwhile(error):
    def refused():
        return error("it denies access")

    doubts = []
    for ask in (
        lambda: retried(Asked(*lost(1), refused())),
        lambda: settled(Asked(*lost(1), refused()), Asked(None)),
        lambda: settled(Asked(*lost(1)), Asked(refused())),
        lambda: obeyed("there", Asked(*lost(1), refused()), Asked(None)),
        lambda: retried(Asked(refused())),
        lambda: settled(Asked(refused()), Asked()),
    ):
        with pytest.raises(error, match="denies access") as caught:
            ask()
        doubts.append(caught.value.in_doubt)
    assert doubts == [True, True, True, True, False, False]


def test_store_that_is_away_is_not_asked_again():
    ask = Asked(AWAY)
    with pytest.raises(StoreUnavailable, match="away"):
        retried(ask)
    assert ask.times == 1
    write = Asked(AWAY)
    with pytest.raises(StoreUnavailable, match="away"):
        settled(write, Asked())
    assert write.times == 1


@pytest.mark.parametrize(
    ("writes", "looks", "done", "wrote"),
    [
        ([True], [], True, 1),
        ([False], [], False, 1),
        (lost(1), [True], True, 1),
        (lost(1), [False], False, 1),
        ([*lost(1), True], [None], True, 2),
        ([*lost(1), False], [None, True], True, 2),  # the first try was done, after we had looked
        ([*lost(1), False], [None, False], False, 2),
        ([*lost(1), False], [None, None], False, 2),
        ([*lost(3), True], [None] * 3, True, 4),
    ],
)
def test_write_whose_reply_was_lost_is_looked_for_and_tried_again(writes, looks, done, wrote):
    write, look = Asked(*writes), Asked(*looks)
    assert settled(write, look) is done
    assert (write.times, look.times) == (wrote, len(looks))


def test_write_whose_replies_are_all_lost_is_given_up():
    with pytest.raises(StoreUnavailable, match="no reply 3"):
        settled(Asked(*lost(4)), Asked(*[None] * 4))


def test_no_that_something_explains_is_a_no_and_another_is_asked_again():
    assert obeyed("there", Asked(True), Asked()) is True
    assert obeyed("there", Asked(False), Asked(False)) is False
    assert obeyed("there", Asked(False, True), Asked(None)) is True
    with pytest.raises(CacheWriteFailed, match="the store there changed or dropped a write"):
        obeyed("there", Asked(*[False] * 4), Asked(*[None] * 4))


@pytest.mark.parametrize("error", [TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError])
def test_reply_of_another_kind_is_an_error_that_names_the_store(error):
    with pytest.raises(CacheError, match="the store there answers with something"):
        understood("there", Asked(error("noise")))
    assert understood("there", lambda: 7) == 7


@pytest.mark.parametrize("value", [b"ab", bytearray(b"ab"), memoryview(b"ab")])
def test_bytes_are_bytes(value):
    assert bytes_of(value) == b"ab"
    assert reading_of(value, 7.0) == (b"ab", 7.0)


@pytest.mark.parametrize("value", [3, "ab", None, [97]])
def test_other_values_are_no_bytes(value):
    with pytest.raises(TypeError):
        bytes_of(value)


def test_reading_of_nothing_has_a_time_and_one_without_a_time_is_refused():
    assert reading_of(None, 7.0) == (None, 7.0)
    for now in (math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match=r"^$"):
            reading_of(None, now)


@pytest.mark.parametrize(
    ("names", "after", "fits"),
    [
        ([], "", True),
        (["a"], "", True),
        (["a", "b"], "", True),
        (["b", "a"], "", False),
        (["a", "a"], "", False),
        (["a", "b"], "a", False),
        (["b", "c"], "a", True),
    ],
)
def test_page_is_in_order_and_behind_the_one_before(names, after, fits):
    if fits:
        assert page_of(names, after) == names
    else:
        with pytest.raises(ValueError, match=r"^$"):
            page_of(names, after)


@pytest.mark.parametrize(("given", "seconds"), [(None, 10.0), ("3", 3.0), (0, 0.0), ("0.5", 0.5)])
def test_time_to_connect_is_that_of_the_address_or_else_the_usual(given, seconds):
    assert patience_of(given, 10.0) == seconds


@pytest.mark.parametrize("given", ["soon", "-1", "inf", "nan", "-inf", ""])
def test_time_to_connect_that_is_no_number_of_seconds_is_refused(given):
    with pytest.raises(ConfigurationError, match="connect_timeout that is not a number of seconds"):
        patience_of(given, 10.0)


class KeyLeases:
    """Leases that others hold at first."""

    def __init__(self, refusals, holder=None):
        self.refusals = refusals
        self.names = []
        self._holder = holder

    @contextlib.contextmanager
    def hold(self, name):
        self.names.append(name)
        self.refusals -= 1
        yield self.refusals < 0

    def holder(self, name):
        assert name in self.names
        return self._holder


@pytest.fixture
def pauses(monkeypatch):
    """A clock that goes on by the pauses alone."""
    pauses = []
    time_here = SimpleNamespace(monotonic=lambda: sum(pauses), sleep=pauses.append)
    monkeypatch.setattr(alike, "time", time_here)
    return pauses


def test_change_of_the_key_waits_for_another_ones(pauses):
    leases, done = KeyLeases(3), []
    with changing_key(leases, "there"):
        done.append(len(leases.names))
    assert done == [4]
    assert set(leases.names) == {"changing-key"}
    assert len(pauses) == 3
    assert all(0.05 <= each <= 0.3 for each in pauses)


@pytest.mark.parametrize(("holder", "named"), [("host b, process 7", "host b, process 7"), (None, "another process")])
def test_change_of_the_key_that_others_do_not_end_is_given_up_after_a_minute(pauses, holder, named):
    message = f"^{named} has been changing the key of the cache in there for more than 60 s"
    with pytest.raises(LockTimeout, match=message), changing_key(KeyLeases(10_000, holder), "there"):
        raise AssertionError("it is another's")
    assert 60.0 < sum(pauses) < 60.5


@pytest.mark.parametrize(("took", "reach"), [(0.9, OK), (1.1, WARNING)])
@pytest.mark.parametrize(("ahead", "clock"), [(29.5, OK), (30.5, WARNING), (-29.5, OK), (-30.5, WARNING)])
def test_slow_answers_and_clocks_that_differ_are_warned_of(monkeypatch, took, reach, ahead, clock):
    now = [1000.0]
    monkeypatch.setattr(alike, "time", SimpleNamespace(monotonic=lambda: now[0] - 900, time=lambda: now[0]))

    def there():
        asked_at = now[0]
        now[0] += took
        return asked_at + took / 2 + ahead

    first, second = reach_and_clock("there", there)
    assert (first.name, first.status, first.finding) == ("reach", reach, f"there, {took * 1000:.0f} ms")
    assert (second.name, second.status) == ("clock", clock)
    assert second.finding == f"{ahead:+.1f} s against this machine's"


def test_time_of_the_clock_is_that_of_the_answer(monkeypatch):
    monkeypatch.setattr(alike, "time", time)
    assert [each.status for each in reach_and_clock("there", time.time)] == [OK, OK]
