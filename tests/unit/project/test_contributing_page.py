"""The map in CONTRIBUTING.md leads to files that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_each_change_of_the_map_begins_in_a_file_that_is_there():
    rows = re.findall(r"^\| .+ \| `(\S+\.py)` \|$", PAGE, re.MULTILINE)
    assert len(rows) >= 20
    assert [row for row in rows if not (ROOT / row).is_file()] == []


def test_each_file_of_the_source_that_is_longer_than_the_bound_is_named():
    sources = [*(ROOT / "src").rglob("*.py"), *(ROOT / "packages").rglob("src/**/*.py")]
    long = {
        path.relative_to(ROOT).as_posix()
        for path in sources
        if len(path.read_text(encoding="utf-8").splitlines()) > 300
    }
    (named,) = re.findall(r"in at most 300 lines\.(.+?)\n\d\. ", PAGE, re.DOTALL)
    assert long == set(re.findall(r"`(\S+\.py)`", named))
