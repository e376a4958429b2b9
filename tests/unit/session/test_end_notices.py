"""The end of a session is reported once a day, by one of the hosts."""

import hashlib
import time
from types import SimpleNamespace

import pytest

from lakekey.cache.entry import Entry
from lakekey.cache.stores.memory import MemoryStore
from lakekey.errors import StoreUnavailable
from lakekey.session import end_notices
from lakekey.session.end_notices import EndNotices
from support.model_providers import cache_over

NAME = "a" * 64
DAY = 86400.0
WARN = 3 * DAY
NOW = 1_700_000_000.0
ENTRY = Entry({}, logged_in_at=NOW - 30 * DAY)


@pytest.fixture
def reported(cache, monkeypatch):
    """Whether a round on another host, at some time, reports a session that ends after so many seconds."""

    def reported(at, ends, *, entry=ENTRY, selection="", where=cache, here=False):
        monkeypatch.setattr(end_notices, "time", SimpleNamespace(time=lambda: at))
        monkeypatch.setattr(type(where), "now", lambda _: at)
        if not here:
            end_notices._given.clear()
        notices = EndNotices(where, selection, WARN)
        due = notices.is_due(NAME, entry, ends)
        notices.close()
        return due

    return reported


@pytest.mark.parametrize(("left", "due"), [(3.1, False), (2.9, True), (0.5, True), (-0.5, True), (-30.0, True)])
def test_end_is_reported_from_three_days_before_it(reported, left, due):
    assert reported(NOW, NOW + left * DAY) is due


@pytest.mark.parametrize("here", [True, False], ids=["the same process", "another host"])
def test_end_is_reported_once_a_day_and_once_after_it(reported, here):
    ends = NOW + 2.5 * DAY
    reports = [reported(NOW + hours * 3600, ends, here=here) for hours in range(0, 24 * 10, 6)]
    assert sum(reports) == 4
    assert reports[0]


def test_process_whose_store_takes_no_note_repeats_itself_no_more_often(reported, cache, monkeypatch):
    def away(*_):
        raise StoreUnavailable("away", hint="")

    monkeypatch.setattr(cache.store, "read_note", away)
    monkeypatch.setattr(cache.store, "write_note", away)
    ends = NOW + 2.5 * DAY
    assert [reported(NOW + hours * 3600, ends, here=True) for hours in (0, 6, 12)] == [True, False, True]
    assert reported(NOW + 12 * 3600, ends + 1, here=True)  # it ends at another time now


def test_session_that_began_after_the_last_report_is_reported(reported):
    ends = NOW + 1.5 * DAY
    assert reported(NOW, ends)
    assert not reported(NOW + 60, ends)
    assert reported(NOW + 60, ends, entry=ENTRY._replace(logged_in_at=NOW + 30))


def test_rounds_over_other_sessions_have_notes_of_their_own(reported):
    ends = NOW + 1.5 * DAY
    assert reported(NOW, ends)
    assert reported(NOW + 60, ends, selection="prod")
    assert not reported(NOW + 120, ends, selection="prod")
    assert reported(NOW + 120, ends, selection="dev")


def test_note_of_a_selection_has_the_name_that_other_releases_look_for(reported, cache):
    reported(NOW, NOW + DAY, selection="prod")
    digest = hashlib.sha256(b"prod").hexdigest()[:16]
    assert cache.store.read_note(f"keep-alive-{digest}") == f"{NOW:.3f}".encode()


def test_round_that_reports_nothing_leaves_the_note_as_it_is(reported, cache):
    reported(NOW, NOW + 9 * DAY)
    assert cache.store.read_note("keep-alive") is None
    reported(NOW, NOW + DAY)
    assert cache.store.read_note("keep-alive") == f"{NOW:.3f}".encode()


@pytest.mark.parametrize("note", [b"noise", b"\xff", b""])
def test_note_that_cannot_be_read_counts_as_missing(reported, cache, note):
    cache.store.write_note("keep-alive", note)
    assert reported(NOW, NOW + DAY)


def test_note_has_the_time_of_the_store(cache, monkeypatch):
    ahead = 600.0
    monkeypatch.setattr(type(cache), "now", lambda _: time.time() + ahead)
    first = EndNotices(cache, "", WARN)
    assert first.is_due(NAME, ENTRY, time.time() + DAY)
    first.close()
    assert abs(float(cache.store.read_note("keep-alive")) - time.time() - ahead) < 60
    assert abs(EndNotices(cache, "", WARN)._last - time.time()) < 60


def test_what_a_process_has_reported_stays_bounded():
    notices, ends = EndNotices(cache_over(MemoryStore()), "", WARN, most=3), time.time() + DAY
    for number in range(10):
        assert notices.is_due(f"{number:064}", ENTRY, ends)
    assert 0 < len(end_notices._given) <= 3
    assert not notices.is_due(f"{9:064}", ENTRY, ends)


def test_what_a_process_has_reported_is_remembered_within_that_bound():
    end_notices._given.clear()
    notices, ends = EndNotices(cache_over(MemoryStore()), "", WARN, most=3), time.time() + DAY
    for number in range(3):
        assert notices.is_due(f"{number:064}", ENTRY, ends)
    assert not any(notices.is_due(f"{number:064}", ENTRY, ends) for number in range(3))
