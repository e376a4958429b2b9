"""docs/reference/errors.md has one row for each error, in the order of the tree."""

import inspect
import re
from pathlib import Path

import lakekey
from lakekey import errors

PAGE = (Path(__file__).resolve().parents[3] / "docs/reference/errors.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.+) \| (.+) \|$", PAGE, flags=re.MULTILINE)
CLASSES = [
    (kind.code, name) for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, Exception)
]


def test_each_error_has_its_row_with_cause_and_fix():
    assert [(code, name) for code, name, _, _ in ROWS] == CLASSES


def test_codes_are_unique_and_each_error_can_be_caught_by_its_public_name():
    assert len({code for code, _ in CLASSES}) == len(CLASSES)
    assert all(getattr(lakekey, name) is getattr(errors, name) for _, name in CLASSES)
