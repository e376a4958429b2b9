"""Breaks lines of the source one at a time, in a copy of the tree, and reports the breaks that no test notices.

A comparison is turned round, a condition negated, ``and`` and ``or`` exchanged, a constant changed, a call or an
assignment to an attribute left out. For each break the nearest tests are run, until one fails: the unit tests that name
the module, then those of ``nearest.txt``. `forked.py` tries a file's breaks first, which takes a tenth of the time; those
that no test notices there are tried here, each by a pytest of its own. With ``--slow`` all are. With ``--fast`` none
are: what it prints are survivors to be read, no count. What only Windows runs is left to ``tests/windows/break_every_line.py``.

Usage: ``python tests/mutation/break_lines.py [--sample N] [--seed N] [--minutes N] [--fast | --slow] [--list] PATH…``,
with paths under ``src/lakekey``; or ``make mutants`` (``MUTANTS="--sample 20 src/lakekey/sql"``). It prints each survivor,
and a count for each file. Status 1: a break survived that ``equivalent.txt`` does not name. Status 2: the tests of a file fail
without a break. A room takes an hour or more: take a sample, or one file.
"""

import argparse
import ast
import contextlib
import copy
import importlib
import os
import random
import shutil
import signal
import sys
import sysconfig
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from forked import Forks

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "lakekey"
EQUIVALENT = Path(__file__).with_name("equivalent.txt")
NEAREST = Path(__file__).with_name("nearest.txt")
NODE_MODULES = "tests/support/servers/oidc/node_modules"
TIME_LIMIT = 400
NO_TEST = 5  # the status of a pytest that finds no test to run, as where all are of Windows
# What the tests load and no break touches, loaded once for all the processes that run them.
PRELOADED = (
    "pytest", "requests", "httpx", "cryptography.hazmat.primitives.ciphers.aead",
    "databricks.sql", "sqlalchemy", "pandas", "pyarrow", "duckdb", "authlib", "joserfc", "keyring",
    "pyspark.sql.connect.session",
)  # fmt: skip
OPPOSITE = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
# What `change` looks at.
BREAKABLE = (
    ast.Compare, ast.BoolOp, ast.If, ast.While, ast.IfExp, ast.Constant, ast.Expr, ast.Assign, ast.AugAssign,
)  # fmt: skip
ASKS_FOR_WINDOWS = ("sys.platform == 'win32'", "os.name == 'nt'", "os.name != 'posix'", "not _POSIX")


class Break(NamedTuple):
    """One break of a file.

    Attributes:
        file: The file.
        line: Where in it.
        name: What it is, without the line's number, so that ``equivalent.txt`` outlives changes elsewhere.
        text: The file's text with it.
        tree: The same, with the places of the file's own text.
        lines: The lines that are run if what it changes is.
    """

    file: Path
    line: int
    name: str
    text: str
    tree: ast.Module
    lines: range


def change(node: ast.AST) -> bool:
    """Breaks one node where it stands. Returns whether there was something to break."""
    if isinstance(node, ast.Compare):
        node.ops[0] = OPPOSITE[type(node.ops[0])]()
    elif isinstance(node, ast.BoolOp):
        node.op = OPPOSITE[type(node.op)]()
    elif isinstance(node, ast.If | ast.While | ast.IfExp):
        if isinstance(node.test, ast.Compare) or ast.unparse(node.test) == "TYPE_CHECKING":
            return False  # the comparison itself is turned round; what only type checkers see is not run
        node.test = ast.UnaryOp(ast.Not(), node.test)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        node.value = not node.value if isinstance(node.value, bool) else node.value + 1
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        node.value = ast.Constant(None)
    elif isinstance(node, ast.Assign) and all(isinstance(target, ast.Attribute) for target in node.targets):
        node.targets = [ast.Name("_left_out", ast.Store())]
    elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Attribute):
        node.op, node.value = ast.BitOr(), copy.deepcopy(node.target)
        node.value.ctx = ast.Load()
    else:
        return False
    return True


def named(path: Path, tree: ast.Module, lines: list[str], *, windows: bool = False) -> Iterator[tuple[int, int, str]]:
    """What can be broken in a file: its number in a walk through the tree, its line, and the name of its break.

    Args:
        path: The file.
        tree: Its syntax.
        lines: Its lines.
        windows: What only Windows runs, instead of the rest.
    """
    part = windows_only(tree)
    for at, original in enumerate(ast.walk(tree)):
        if not isinstance(original, BREAKABLE) or (original in part) is not windows:
            continue
        broken = copy.deepcopy(original)
        of_type_checkers = lines[original.lineno - 1].partition("  #")[0] == "TYPE_CHECKING = False"
        if change(broken) and not of_type_checkers:  # which is so when it is run
            before, after = (ast.unparse(node).splitlines()[0][:90] for node in (original, broken))
            yield at, original.lineno, f"{path.relative_to(SOURCE)}: {before} -> {after}"


def windows_only(tree: ast.Module) -> set[ast.AST]:
    """What only Windows runs, and tests/windows/break_every_line.py breaks."""
    asking = [
        node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) in ASKS_FOR_WINDOWS
    ]
    return {inner for node in asking for statement in node.body for inner in ast.walk(statement)}


def names(path: Path) -> set[str]:
    """The names of a file's breaks."""
    text = path.read_text("utf-8")
    return {name for _, _, name in named(path, ast.parse(text), text.splitlines())}


def breaks(path: Path, *, windows: bool = False) -> Iterator[Break]:
    """Each break of a file; with ``windows``, of what only Windows runs."""
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    for at, line, name in named(path, tree, text.splitlines(), windows=windows):
        broken = copy.deepcopy(tree)
        change(next(node for number, node in enumerate(ast.walk(broken)) if number == at))
        after = ast.unparse(ast.fix_missing_locations(broken))
        yield Break(path, line, name, after, broken, statement_of(line, tree))


def statement_of(line: int, tree: ast.Module) -> range:
    """The lines of the innermost statement that a line is part of, without the statements in its own body."""
    found = range(line, line + 1)
    for node in ast.walk(tree):  # from the outermost to the innermost
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno):
            body = getattr(node, "body", None)
            end = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno or node.lineno
            if line <= end:
                found = range(node.lineno, end + 1)
    return found


def module_of(path: Path) -> str:
    """The module that a file is."""
    return "lakekey." + ".".join(path.relative_to(SOURCE).with_suffix("").parts)


def nearest(path: Path) -> list[str]:
    """The tests of a module: those in its place and those that import it, then those that `NEAREST` names."""
    inside, module = path.relative_to(SOURCE), module_of(path)
    room, _, name = module.rpartition(".")
    mirrored = ROOT / "tests" / "unit" / inside.parent / f"test_{path.stem.strip('_')}.py"
    found = {mirrored} if mirrored.exists() else set()
    for test in (ROOT / "tests" / "unit").rglob("test_*.py"):
        text = test.read_text("utf-8")
        if "unit/project" not in str(test) and (
            f"from {module} import" in text or (f"from {room} import" in text and name in text)
        ):
            found.add(test)
    tests = [str(test.relative_to(ROOT)) for test in sorted(found, key=lambda test: (test != mirrored, test))]
    for line in NEAREST.read_text("utf-8").splitlines():
        prefix, _, more = line.partition(":")
        if more and str(inside).startswith(prefix):
            tests += [test for test in more.split() if test not in tests]
    return tests


def equivalents() -> set[str]:
    """The names of the breaks that change nothing that a program could notice."""
    lines = EQUIVALENT.read_text("utf-8").splitlines()
    return {line for line in lines if line and not line.startswith((" ", "#"))}


class Copy:
    """A copy of the tree, in which files are broken and tests are run.

    Args:
        place: An empty folder.

    Attributes:
        output: What the tests that ran last have printed.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        place.chmod(0o755)  # some tests run programs as another user
        self.output = place / "output.txt"
        for name in ("src", "tests", "packages"):
            shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        for name in ("pyproject.toml", "conftest.py"):
            if (ROOT / name).exists():
                shutil.copy(ROOT / name, place)
        (place / "docs").symlink_to(ROOT / "docs")  # some tests read a page
        if (ROOT / NODE_MODULES).exists():
            (place / NODE_MODULES).symlink_to(ROOT / NODE_MODULES)
        self._paths = [str(place / part) for part in ("src", "packages/lakekey-sandbox/src")]
        self._python = self._environment(place / "environment")

    def _environment(self, place: Path) -> Path:
        """Make an environment with this one's packages and the copy, for the programs that tests start.

        Those that are given no ``PYTHONPATH`` would load the tree itself. Returns its Python.
        """
        packages = place / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
        packages.mkdir(parents=True)
        (packages / "copy.pth").write_text("\n".join([*self._paths, sysconfig.get_path("purelib")]), "utf-8")
        shutil.copy(Path(sys.prefix) / "pyvenv.cfg", place)
        (place / "bin").mkdir()
        (place / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
        return place / "bin" / "python"

    @contextlib.contextmanager
    def broken(self, one: Break) -> Iterator[None]:
        """The copy with one break."""
        file = self._place / one.file.relative_to(ROOT)
        file.write_text(one.text, "utf-8")
        try:
            yield
        finally:
            shutil.copy(one.file, file)

    def tested(self, tests: list[str]) -> int:
        """Run tests in the copy until one fails. Returns the status of their pytest, which is below 0 if it did not end."""
        return self._waited(self._start(["-x", *tests]), TIME_LIMIT)

    def noticed_in_forks(self, found: list[Break], tests: list[str]) -> set[Break] | None:
        """Those breaks of one file that tests notice in forks, or nothing if that cannot be tried; see `forked`."""
        reader, writer = os.pipe()
        file = self._place / found[0].file.relative_to(ROOT)
        module = module_of(found[0].file).removesuffix(".__init__")

        def notice(place: int) -> None:
            os.write(writer, b"%d\n" % place)

        forks = Forks(file, module, found, self.broken, notice, self._waited)
        child = self._start(["-s", *tests], forks)
        os.close(writer)
        with open(reader, encoding="ascii") as places:
            noticed = {found[int(place)] for place in places}
        return noticed if self._waited(child, TIME_LIMIT) == 0 else None

    def _start(self, arguments: list[str], *plugins: object) -> int:
        """Start pytest in a fork of this process. Returns its id."""
        self.output.unlink(missing_ok=True)
        child = os.fork()
        if child == 0:
            self._run(arguments, plugins)
        return child

    @staticmethod
    def _waited(child: int, limit: float) -> int:
        """Wait for a child, and end it with all that it has started. Returns its exit status."""
        deadline = time.monotonic() + limit
        ended, status = 0, 0
        while not ended and time.monotonic() < deadline:
            ended, status = os.waitpid(child, os.WNOHANG)
            time.sleep(0 if ended else 0.01)
        with contextlib.suppress(ProcessLookupError):  # servers that a test which was cut short has left, too
            os.killpg(child, signal.SIGKILL)
        if not ended:
            _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)

    def _run(self, arguments: list[str], plugins: tuple[object, ...]) -> None:
        status = 1
        try:
            os.setsid()
            os.chdir(self._place)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            for number in (1, 2):
                os.dup2(os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
            os.environ.clear()
            os.environ.update(PATH="/usr/bin:/bin", PYTHONPATH=os.pathsep.join(self._paths), HOME=str(self._place))
            os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # two breaks within a second would be one to the cache
            sys.dont_write_bytecode = True
            sys.path[:0] = self._paths
            sys.executable = str(self._python)
            fixed = ["-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
            status = sys.modules["pytest"].main([*fixed, *arguments], plugins=plugins)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            sys.stdout.flush()
            os._exit(int(status))


def chosen(options: argparse.Namespace) -> list[Break]:
    """What the command line asks to break."""
    paths = [path.resolve() for path in options.paths]
    files = [file for path in paths for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]
    found = [each for file in files for each in breaks(file)]
    if options.sample and options.sample < len(found):
        found = random.Random(options.seed).sample(found, options.sample)
    return found


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--sample", type=int, help="so many breaks, chosen at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="stop after so long, and count what was run"
    )
    speed = parser.add_mutually_exclusive_group()
    speed.add_argument("--fast", action="store_true", help="start pytest for no break")
    speed.add_argument("--slow", action="store_true", help="start pytest for every break")
    parser.add_argument("--list", action="store_true", help="only print the breaks, and the tests that would be run")
    return parser.parse_args()


def unbroken(tree: Copy, file: Path, tests: list[str]) -> list[str]:
    """The tests of a file, or none where none of them is run here. Ends the run, and says why, if they fail without a break."""
    status = tree.tested(tests) if tests else NO_TEST
    if status not in (0, NO_TEST):
        print(tree.output.read_text("utf-8", "replace")[-3000:])
        print(f"the tests of {file.relative_to(SOURCE)} fail without a break: {' '.join(tests)}")
        sys.exit(2)
    return tests if status == 0 else []


def outcome(tree: Copy, one: Break, tests: list[str], known: set[str]) -> str:
    """What becomes of a break that is tried by a pytest of its own."""
    if not tests:
        return "without a test"
    if one.name in known:
        return "equivalent"
    with tree.broken(one):
        if tree.tested(tests) != 0:
            return "noticed"
    print(f"survived: {one.name}  (line {one.line})", flush=True)
    return "survived"


def counted(tree: Copy, found: list[Break], options: argparse.Namespace, end: float) -> Counter[str]:
    """What becomes of the breaks of one file."""
    count: Counter[str] = Counter()
    known, tests = equivalents(), nearest(found[0].file)
    noticed = None if options.slow or not tests else tree.noticed_in_forks(found, tests)
    if noticed is None:
        tests = unbroken(tree, found[0].file, tests)
    for one in found:
        if noticed and one in noticed:
            count["noticed"] += 1
        elif options.fast and noticed is not None and one.name not in known:
            count["survived"] += 1
            print(f"not noticed in forks: {one.name}  (line {one.line})", flush=True)
        elif time.monotonic() < end:
            count[outcome(tree, one, tests, known)] += 1
    return count


def words_of(count: Counter[str], number: int) -> str:
    """A count as a line."""
    kinds = ("noticed", "survived", "equivalent", "without a test")
    return f"{count.total()} of {number} breaks: " + ", ".join(f"{count[kind]} {kind}" for kind in kinds)


def main() -> int:
    """Breaks what the command line names."""
    options = arguments()
    found = chosen(options)
    if options.list:
        for one in found:
            print(f"{one.name}  (line {one.line}; {' '.join(nearest(one.file)) or 'no test'})")
        return 0
    for module in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    end = time.monotonic() + options.minutes * 60
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as directory:
        tree = Copy(Path(directory))
        for file in sorted({one.file for one in found}):
            if time.monotonic() > end:
                break
            of_file = [one for one in found if one.file == file]
            count = counted(tree, of_file, options, end)
            print(f"{file.relative_to(SOURCE)}: {words_of(count, len(of_file))}", flush=True)
            total += count
    print(words_of(total, len(found)))
    return 1 if total["survived"] else 0


if __name__ == "__main__":
    sys.exit(main())
