"""The tests that are run for a module's broken lines (tests/mutation/nearest.txt) are there, and so is the module."""

from pathlib import Path

ROOT = Path(__file__).parents[3]
LINES = (ROOT / "tests/mutation/nearest.txt").read_text(encoding="utf-8").splitlines()


def test_modules_and_their_nearest_tests_are_there():
    listed = [line.split(": ", 1) for line in LINES if not line.startswith("#")]
    assert [prefix for prefix, _ in listed if not list((ROOT / "src/lakekey").glob(f"{prefix}*"))] == []
    tests = {test.partition("::")[0] for _, named in listed for test in named.split()}
    assert [test for test in sorted(tests) if not (ROOT / test).is_file()] == []


def test_equivalent_breaks_are_of_files_that_are_there():
    lines = (ROOT / "tests/mutation/equivalent.txt").read_text(encoding="utf-8").splitlines()
    files = {line.partition(": ")[0] for line in lines if line and not line.startswith((" ", "#"))}
    assert [file for file in sorted(files) if not (ROOT / "src/lakekey" / file).is_file()] == []
