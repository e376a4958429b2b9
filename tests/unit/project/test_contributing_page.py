"""The map in CONTRIBUTING.md leads to files that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_each_change_of_the_map_begins_in_a_file_that_is_there():
    rows = re.findall(
        r"^\| .+ \| `(\S+\.py)` \|$", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(rows) >= 20
    assert [row for row in rows if not (ROOT / row).is_file()] == []
