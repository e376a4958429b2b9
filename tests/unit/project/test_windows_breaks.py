"""The list of Windows' lines that are to be broken by hand (tests/windows/break_lines.py) is up to date."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
_SPEC = importlib.util.spec_from_file_location("windows_lines", ROOT / "tests/windows/break_every_line.py")
EVERY = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(EVERY)
LISTED = EVERY.LISTED
#: Those for macOS apart, which is not run.
BRANCHES = re.compile(r'.*(?:sys\.platform [!=]= "(?!darwin)|os\.name [!=]= ).*')


@pytest.mark.parametrize("each", LISTED.BREAKS, ids=lambda each: f"{each.file} {each.line}")
def test_each_break_names_a_line_that_is_there_and_a_test_that_is_there(each):
    assert (LISTED.SOURCE / each.file).read_text(encoding="utf-8").count(each.line) == 1
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


def test_each_branch_by_the_system_is_broken_or_said_not_to_be_shown():
    left = []
    for path in LISTED.SOURCE.rglob("*.py"):
        text, file = path.read_text(encoding="utf-8"), str(path.relative_to(LISTED.SOURCE))
        for one in LISTED.BREAKS:
            text = text.replace(one.line, "") if one.file == file else text
        not_shown = any(place.startswith(f"{file}, ") for place in LISTED.NOT_SHOWN)
        left += [(file, found) for found in BRANCHES.findall(text) if not not_shown]
    assert left == []


def test_each_line_that_only_windows_runs_has_a_test_that_is_to_notice():
    assert [str(path) for path in EVERY.files() if not EVERY.tests_of(path)] == []


def test_each_equivalent_break_can_still_be_made():
    made = {name for path in EVERY.LISTED.SOURCE.rglob("*.py") for name in EVERY.names(path)}
    assert EVERY.equivalents() - made == set()
