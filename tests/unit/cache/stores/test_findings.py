"""What a person sees of a server's texts."""

import pytest

from lakekey.cache.stores.findings import shown


@pytest.mark.parametrize(
    "text", ["l\u2019erreur\u00a0: \u00ab\u202frefus\u00e9\u202f\u00bb", "\u62d2\u7edd\u3000x", "a b"]
)
def test_spaces_of_other_kinds_are_shown_as_they_are(text):
    assert shown(text) == text


@pytest.mark.parametrize(
    "character", "\n\t\x1b\x85\x9b\u200b\u202e\u2028\u2029\ufeff\ud800\ue000\U000e0041\U0010ffff", ids=ascii
)
def test_what_a_terminal_or_a_log_would_act_on_is_escaped(character):
    assert shown(f"a{character}b") == f"a{character.encode('unicode_escape').decode()}b"


def test_no_more_is_shown_than_a_person_would_read():
    assert shown("x" * 1000) == "x" * 300
