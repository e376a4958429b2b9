"""Breaks lines of the source one at a time, in a copy of the tree, and says which breaks no test notices.

A comparison is turned round, a condition negated, ``and`` and ``or`` exchanged, a constant changed, a statement that is
a call or an assignment to an attribute left out. For each break the tests are run that name the module (``nearest``).

Usage: ``python tests/mutation/break_lines.py [--sample N] [--seed N] PATH…``, with paths under ``src/lakekey``. It ends
with the count, and with status 1 if a break survived that ``equivalent.txt`` does not name. It takes hours for a room:
take a sample, or one file.
"""

import argparse
import ast
import copy
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "lakekey"
EQUIVALENT = Path(__file__).with_name("equivalent.txt")
TIME_LIMIT = 300
OPPOSITE = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


def change(node: ast.AST) -> bool:
    """Breaks one node where it stands. Returns whether there was something to break."""
    if isinstance(node, ast.Compare):
        node.ops[0] = OPPOSITE[type(node.ops[0])]()
    elif isinstance(node, ast.BoolOp):
        node.op = OPPOSITE[type(node.op)]()
    elif isinstance(node, ast.If | ast.While | ast.IfExp):
        node.test = ast.UnaryOp(ast.Not(), node.test)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        node.value = not node.value if isinstance(node.value, bool) else node.value + 1
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        node.value = ast.Constant(None)
    else:
        return False
    return True


def breaks(path: Path) -> Iterator[tuple[str, str]]:
    """Each break of a file: what it is in words, and the file's text with it."""
    tree = ast.parse(path.read_text("utf-8"))
    for at, original in enumerate(ast.walk(tree)):
        broken = copy.deepcopy(tree)
        node = next(node for number, node in enumerate(ast.walk(broken)) if number == at)
        before = ast.unparse(original)
        if hasattr(original, "lineno") and change(node):
            after = ast.unparse(ast.fix_missing_locations(broken))
            name = (
                f"{path.relative_to(SOURCE)}: {before.splitlines()[0][:90]} -> {ast.unparse(node).splitlines()[0][:90]}"
            )
            yield name, after


def nearest(path: Path) -> list[str]:
    """The tests of a module: those in its place, and those that import it."""
    module = "lakekey." + ".".join(path.relative_to(SOURCE).with_suffix("").parts)
    room, _, name = module.rpartition(".")
    mirrored = ROOT / "tests" / "unit" / path.parent.relative_to(SOURCE) / f"test_{path.stem}.py"
    found = {mirrored} if mirrored.exists() else set()
    for test in (ROOT / "tests" / "unit").rglob("test_*.py"):
        text = test.read_text("utf-8")
        if f"from {module} import" in text or (f"from {room} import" in text and name in text):
            found.add(test)
    return sorted(str(test.relative_to(ROOT)) for test in found)


def notices(tree: Path, tests: list[str]) -> bool:
    """Whether a test fails in the copy."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:randomly", "-p", "no:cacheprovider", *tests]
    environ = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tree / "src"), "HOME": str(tree)}
    try:
        run = subprocess.run(command, check=False, cwd=tree, env=environ, capture_output=True, timeout=TIME_LIMIT)
    except subprocess.TimeoutExpired:
        return True
    return run.returncode != 0


def main() -> int:
    """Breaks what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--sample", type=int, help="so many breaks, chosen at random")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    files = [file for path in options.paths for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]
    found = [(file.resolve(), *each) for file in files for each in breaks(file.resolve())]
    if options.sample and options.sample < len(found):
        found = random.Random(options.seed).sample(found, options.sample)
    known = {line for line in EQUIVALENT.read_text("utf-8").splitlines() if line and not line.startswith((" ", "#"))}
    survivors, untested = [], 0
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory)
        for name in ("src", "tests", "packages"):
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        shutil.copy(ROOT / "pyproject.toml", tree)
        if (ROOT / "conftest.py").exists():
            shutil.copy(ROOT / "conftest.py", tree)
        for file in {file for file, _, _ in found}:
            if (tests := nearest(file)) and notices(tree, tests):
                sys.exit(f"the tests of {file.relative_to(SOURCE)} fail without a break: {' '.join(tests)}")
        for file, name, text in found:
            tests = nearest(file)
            place = tree / file.relative_to(ROOT)
            if not tests:
                untested += 1
                continue
            if name in known:
                continue
            place.write_text(text, "utf-8")
            if not notices(tree, tests):
                survivors.append(name)
                print(f"survived: {name}", flush=True)
            shutil.copy(file, place)
    print(f"{len(found)} breaks, {len(survivors)} survived, {untested} without a unit test that names the module")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
