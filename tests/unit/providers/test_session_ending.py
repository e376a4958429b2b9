"""The warning of a session's end: once for each end, and no callback can stop it."""

from datetime import UTC, datetime

import pytest

from lakekey.cache.entry import Entry
from lakekey.configuration.target import resolve
from lakekey.providers.session_ending import EndWatch

END = 1764400000.0
ENTRY = Entry({}, identity="ada@example.com")


@pytest.fixture
def watch():
    return EndWatch(resolve(environ={}, host="https://dev.cloud.databricks.com"), "a" * 64)


def test_end_is_warned_of_once_with_the_command_that_begins_a_new_session(watch, caplog):
    watch.near(ENTRY, END)
    watch.near(ENTRY, END)
    (record,) = caplog.records
    assert record.getMessage() == (
        "https://dev.cloud.databricks.com: the session ends at 2025-11-29T07:06+00:00; sign in before with: "
        "lakekey login --host https://dev.cloud.databricks.com, entry aaaaaaaaaaaa"
    )


def test_another_end_is_warned_of_again(watch, caplog):
    watch.near(ENTRY, END)
    watch.near(ENTRY, END + 60)
    assert len(caplog.records) == 2


def test_callback_that_comes_later_hears_of_an_end_that_was_warned_of(watch):
    heard = []
    watch.near(ENTRY, END)
    watch.add(heard.append)
    watch.near(ENTRY, END)
    assert [(ending.identity, ending.ends_at) for ending in heard] == [
        ("ada@example.com", datetime(2025, 11, 29, 7, 6, 40, tzinfo=UTC))
    ]


def test_callback_that_fails_is_reported_and_the_next_one_is_called(watch, caplog):
    heard = []

    def fail(_):
        raise RuntimeError("of the host")

    watch.add(fail)
    watch.add(heard.append)
    watch.near(ENTRY, END)
    assert len(heard) == 1
    assert "the callback for a session's end failed: RuntimeError, entry aaaaaaaaaaaa" in caplog.text
