"""The map in CONTRIBUTING.md leads to files that are there."""

import ast
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


def times_of(module):
    """The names in a module of ours that are numbers of seconds: those with a decimal point."""
    for path in (ROOT / "src").rglob(f"{module}.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign):
                (target,) = node.targets
                names = target.elts if isinstance(target, ast.Tuple) else [target]
                values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
                if all(isinstance(getattr(value, "value", None), float) for value in values):
                    yield from (ast.unparse(name) for name in names)


def test_no_time_of_ours_is_patched_by_a_test():
    patch = re.compile(r'monkeypatch\.setattr\(\s*(\w+),\s*"(_?[A-Z][A-Z_]+)"')
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py")]
    patched = {each for text in texts for each in patch.findall(text)}
    assert {f"{module}.{name}" for module, name in patched if name in set(times_of(module))} == set()
