"""The list of Windows' lines that are to be broken by hand (tests/windows/break_lines.py) is up to date."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
_SPEC = importlib.util.spec_from_file_location("windows_breaks", ROOT / "tests/windows/break_lines.py")
LISTED = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(LISTED)


@pytest.mark.parametrize("each", LISTED.BREAKS, ids=lambda each: f"{each.file} {each.line}")
def test_each_break_names_a_line_that_is_there_and_a_test_that_is_there(each):
    assert each.line in (LISTED.SOURCE / each.file).read_text(encoding="utf-8")
    assert each.line != each.broken
    file, _, name = each.test.partition("::")
    text = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"^ *(async )?def {name or 'test_'}", text, re.MULTILINE)


def test_no_break_is_listed_twice():
    assert len({each[:3] for each in LISTED.BREAKS}) == len(LISTED.BREAKS)


def test_what_is_not_shown_is_still_there():
    for place in LISTED.NOT_SHOWN:
        file, words = place.split(", ", 1)
        assert (LISTED.SOURCE / file).is_file()
        if "_" in words:  # a name, and no sentence
            assert words in (LISTED.SOURCE / file).read_text(encoding="utf-8")
