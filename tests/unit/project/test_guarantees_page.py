"""docs/explanation/guarantees.md names tests that there are, and has a row for each failure of a shared store."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/explanation/guarantees.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("## Stores that hosts share")[2].partition("\n## ")[0]
TESTS = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))


def test_each_failure_of_a_shared_store_has_its_row():
    assert re.findall(r"^\| (A\d+) \|", TABLE, flags=re.MULTILINE) == [f"A{number}" for number in range(1, 49)]


def test_each_test_that_a_row_names_is_there():
    named = set(re.findall(r"`(test_\w+)`", TABLE))
    assert {name for name in named if f"def {name}(" not in TESTS} == set()


def test_each_test_of_a_failure_stands_in_its_row():
    tests = set(re.findall(r"def test_a(\d+)_", TESTS))
    rows = dict(re.findall(r"^\| A(\d+) \|(.*)$", TABLE, flags=re.MULTILINE))
    assert {number for number in tests if "test_" not in rows.get(number, "") and f"A{number}" not in TABLE} == set()
