import string
from datetime import UTC, datetime, timedelta, timezone

import pytest

from lakekey.web import words, words_english, words_german


def places(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_texts_with_the_same_places():
    assert words_english.TEXTS.keys() == words_german.TEXTS.keys()
    for key, text in words_english.TEXTS.items():
        assert places(text) == places(words_german.TEXTS[key]), key


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"), ("de", "de"), ("de-AT", "de"), ("fr, de;q=0.5", "de"), ("en;q=0.3, de;q=0.7", "de"),
        ("de;q=0", "en"), ("fr", "en"), ("de;q=much", "en"), ("de;q=nan, en", "en"), ("de;q=inf", "en"), ("de," * 10_000, "de"),
    ],
)  # fmt: skip
def test_language_is_the_one_that_the_browser_ranks_first(accepted, language):
    assert words.language_of(accepted) == language


def test_date_is_in_utc_whatever_its_own_zone():
    moment = datetime(2026, 3, 1, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    assert "28" in words.date("en", moment)
    assert words.date("de", moment) == "28. Februar 2026, 22:30 UTC"
    assert words.date("de", moment.astimezone(UTC)) == words.date("de", moment)
