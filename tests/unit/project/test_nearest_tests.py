"""The lists of tests/mutation name what is there: modules, the tests that are run for them, and breaks of their lines."""

import importlib
from pathlib import Path

ROOT = Path(__file__).parents[3]
LINES = (ROOT / "tests/mutation/nearest.txt").read_text(encoding="utf-8").splitlines()


def test_modules_and_their_nearest_tests_are_there():
    listed = [line.split(": ", 1) for line in LINES if not line.startswith("#")]
    assert [prefix for prefix, _ in listed if not list((ROOT / "src/lakekey").glob(f"{prefix}*"))] == []
    tests = {test.partition("::")[0] for _, named in listed for test in named.split()}
    assert [test for test in sorted(tests) if not (ROOT / test).is_file()] == []


def test_each_equivalent_break_is_one_of_its_file(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tests/mutation"))
    break_lines = importlib.import_module("break_lines")
    listed = break_lines.equivalents()
    files = {break_lines.SOURCE / line.partition(": ")[0] for line in listed}
    names = set().union(*(break_lines.names(file) for file in files if file.is_file()))
    assert listed
    assert sorted(listed - names) == []
