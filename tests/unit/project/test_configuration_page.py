"""docs/reference/configuration.md is true to the code."""

import re
from pathlib import Path

import pytest

from lakekey.configuration.settings import DELEGATED, FEDERATED, SETTINGS

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/reference/configuration.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("## Settings")[2].partition("## ")[0]


@pytest.mark.parametrize("name", SETTINGS)
def test_page_has_each_setting_with_its_variables(name):
    setting = SETTINGS[name]
    if setting.delegated:
        text = re.sub(r"\s+", " ", PAGE)
        assert f"`{name}` (`{setting.variables[0]}`)" in text
        return
    (row,) = [line for line in TABLE.splitlines() if line.startswith(f"| `{name}`")]
    cells = [cell.strip() for cell in row.split("|")]
    assert cells[1] == ", ".join(f"`{each}`" for each in (name, *setting.aliases))
    assert cells[2] == ", ".join(f"`{variable}`" for variable in setting.variables)


def test_page_has_no_setting_that_does_not_exist():
    assert set(re.findall(r"^\| `(\w+)`", TABLE, flags=re.MULTILINE)) <= set(SETTINGS)


def test_page_has_each_auth_type():
    assert all(f"`{name}`" in PAGE for name in (*FEDERATED, *DELEGATED))


def test_the_departures_are_those_that_are_tested():
    listed = set(re.findall(r"^(\d+)\. \*\*", PAGE, flags=re.MULTILINE))
    tests = (ROOT / "tests/unit/configuration/test_target_agrees_with_the_sdk.py").read_text(encoding="utf-8")
    assert listed == set(re.findall(r"def test_departure_(\d+)_", tests))
