"""What a console of Windows brings beside the keys that were pressed."""

import pytest

from lakekey.login.console import _without_marks

PASTED = "\x1b[200~https://localhost/?code=1\x1b[201~"


def read(*parts):
    """The keys that are left of what comes in parts, before a while in which nothing does."""
    keys = rest = ""
    for part in (*parts, ""):
        taken, rest = _without_marks(rest + part, more=bool(part))
        keys += taken
    assert rest == ""
    return keys


def test_marks_of_a_paste_are_passed_over_wherever_a_read_parts_them():
    for at in range(1, len(PASTED)):
        assert read(PASTED[:at], PASTED[at:], "\r") == "https://localhost/?code=1\r", at


@pytest.mark.parametrize("keys", ["\x1b", "wrong\x1b", "\x1b[20", "\x1bx\r", "\x1b[200\x1b", "[200~"])
def test_escape_and_what_only_begins_like_a_mark_stay_keys(keys):
    assert read(keys) == read(*keys) == keys
