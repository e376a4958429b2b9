"""Unit tests stand where a reader of the module looks for them."""

from pathlib import Path

ROOT = Path(__file__).parents[3]
UNIT = ROOT / "tests" / "unit"
SANDBOX = ROOT / "packages" / "lakekey-sandbox" / "src"


def modules_beside(test):
    """What the files of modules in a test's place are called: without the underscore, and `init` of a package."""
    room = test.parent.relative_to(UNIT)
    source = SANDBOX if room.parts[:1] == ("lakekey_sandbox",) else ROOT / "src" / "lakekey"
    return [module.stem.strip("_") for module in (source / room).glob("*.py")]


def is_of_a_module(test):
    name = f"{test.stem.removeprefix('test_')}_"
    return any(name.startswith(f"{module}_") for module in modules_beside(test))


def test_each_unit_test_has_the_path_and_the_name_of_a_module():
    tests = [test for test in UNIT.rglob("test_*.py") if "project" not in test.relative_to(UNIT).parts]
    assert len(tests) > 100
    assert [str(test.relative_to(UNIT)) for test in tests if not is_of_a_module(test)] == []
