"""The page on hosted sign-in's security: each rule and each row has a test, at the sandbox and at the certified server."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "explanation" / "portal-security.md").read_text(encoding="utf-8")
WEB = ROOT / "tests" / "integration" / "web"
AT_THE_CERTIFIED_SERVER = ["test_certified_server.py", "test_mid_flow.py"]
RULES = [f"W{number}" for number in range(1, 30)]
ROWS = [f"B{number}" for number in range(1, 56)]


def codes(cell):
    """The rows that a table's first cell means, which may be a range."""
    for first, last in re.findall(r"\bB(\d+)(?:\N{EN DASH}B(\d+))?", cell):
        yield from (f"B{number}" for number in range(int(first), int(last or first) + 1))


@cache
def listed():
    """The tests that the page names for each row."""
    tests = {row: set() for row in ROWS}
    for line in PAGE.splitlines():
        if line.startswith("| ") and "`test_" in line:
            for row in codes(line.split("|")[1]):
                tests[row] |= set(re.findall(r"`(test_\w+)`", line))
    return tests


@cache
def rules():
    """The cells of each rule's row, by the rule; each stands once."""
    (section,) = re.findall(r"^## The rules, one by one$(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:3] == "| W"]
    assert len(rows) == len({row[0] for row in rows})
    return {row[0]: row[1:] for row in rows}


@cache
def written():
    """The names of all tests."""
    files = (file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("test_*.py"))
    return {name for text in files for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}


@cache
def without_server():
    """The rows in which no authorization server plays a part."""
    (section,) = re.findall(r"^## At which server$(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
    return {row for line in section.splitlines() if line.startswith("| B") for row in codes(line.split("|")[1])}


@cache
def certified():
    """The tests that run at the certified server: those that its modules define, or import to run them again."""
    names = set()
    for file in [*WEB.glob("test_rows_at_certified_*.py"), *(WEB / name for name in AT_THE_CERTIFIED_SERVER)]:
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                names.add(node.name)
            elif isinstance(node, ast.ImportFrom):
                names |= {each.name for each in node.names}
    return {name for name in names if name.startswith("test_")}


def rows_of(name):
    """The rows that a test's own name has."""
    return {f"B{int(number)}" for number in re.findall(r"(?:^test_|_and_)b(\d\d)_", name)}


@pytest.mark.parametrize("row", ROWS)
def test_each_row_has_a_test_and_one_at_the_certified_server_if_a_server_plays_a_part(row):
    assert listed()[row]
    there = {name for name in certified() if row in rows_of(name) or name in listed()[row]}
    assert bool(there) is (row not in without_server())


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_names_the_files_that_obey_it_and_the_tests_that_hold_it(rule):
    _, where, shown_by = rules()[rule]
    files, tests = re.findall(r"`(\S+\.py)`", where), re.findall(r"`(test_\w+)`", shown_by)
    assert files
    assert all((ROOT / "src" / "lakekey" / file).is_file() for file in files)
    assert tests
    assert set(tests) <= written()


def test_module_that_runs_tests_again_has_the_certified_servers_place():
    modules = list(WEB.glob("test_rows_at_certified_*.py"))
    assert modules
    for module in modules:
        assert "from .conftest import certified_place as place" in module.read_text(encoding="utf-8")
