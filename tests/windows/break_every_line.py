"""Breaks every line that only Windows runs, in each way of ``tests/mutation``, and reports the breaks that no test notices.

Run by hand: ``.venv/bin/python tests/windows/break_every_line.py [WORD]``; a word takes the files whose path has it. It
puts the source back after each, so run it in a copy of the tree. The tests are those that ``break_lines.py`` names for
the file: unit tests run for all its breaks in one process, the others for each break alone, which takes ten seconds or
more. What makes no difference stands in ``equivalent.txt``.
"""

import ast
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent


def module(path: Path, name: str) -> ModuleType:
    """A module of a script: two of them have one name."""
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader, path
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


LISTED = module(HERE / "break_lines.py", "windows_breaks")
from support import wine  # noqa: E402 - the module above has made its folder known

MUTATION = module(HERE.parent / "mutation/break_lines.py", "mutation_breaks")


def names(path: Path) -> list[str]:
    """The names of the breaks of what only Windows runs of a file, in the order of `MUTATION`, each with its line."""
    text = path.read_text("utf-8")
    lines = text.splitlines()
    named = MUTATION.named(path, ast.parse(text), lines, windows=True)
    return [f"{name}  in  {lines[line - 1].strip()}" for _, line, name in named]


def tests_of(path: Path) -> list[str]:
    """The tests that `LISTED` names for a file."""
    inside = str(path.relative_to(LISTED.SOURCE))
    return list(dict.fromkeys(one.test for one in LISTED.BREAKS if one.file == inside))


def files() -> Iterator[Path]:
    """The files with breaks that are to be made."""
    known = equivalents()
    for path in sorted(LISTED.SOURCE.rglob("*.py")):
        if set(names(path)) - known:
            yield path


def equivalents() -> set[str]:
    """The names of the breaks that make no difference, or none that Wine can show."""
    lines = (HERE / "equivalent.txt").read_text("utf-8").splitlines()
    return {line for line in lines if line and not line.startswith((" ", "#"))}


def noticed_in_turn(path: Path, texts: list[str], tests: list[str]) -> set[int]:
    """Which texts in a module's place tests of Linux notice in one process of Windows, or in as many as they end."""
    name = ".".join(("lakekey", *path.relative_to(LISTED.SOURCE).with_suffix("").parts))
    found: set[int] = set()
    with tempfile.TemporaryDirectory() as directory, wine.running():
        file = Path(directory, "texts.json")
        file.write_text(json.dumps([path.read_text("utf-8"), *texts]))  # the first is the module as it is
        first = 0
        while first <= len(texts):
            command = [str(HERE / "breaks_in_turn.py"), name, wine.windows(file), str(first), *tests]
            process = subprocess.Popen(
                ["wine", str(wine.PYTHON), *command],
                cwd=LISTED.ROOT,
                env=wine.environ(PYTHONPATH=wine.windows(LISTED.ROOT / "src")),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            with process:
                for line in process.stdout or ():
                    number, _, status = line.partition(" ")
                    if not (number.isdecimal() and status.strip().isdecimal()):
                        continue
                    assert status == "0\n" or first or number != "0", "the tests fail without a break"
                    found |= {int(number) - 1} if status != "0\n" else set()
                    first = int(number) + 1
            assert first, "the tests do not run without a break"
            if first <= len(texts):  # that one ended the process
                found.add(first - 1)
                first += 1
    return found


def noticed_alone(path: Path, text: str, tests: list[str]) -> bool:
    """Whether one of the tests that start programs of Windows notices a text in a module's place."""
    whole = path.read_text("utf-8")
    path.write_text(text, "utf-8")
    try:
        return any(LISTED.notices(test) for test in tests)
    except subprocess.TimeoutExpired:
        return True
    finally:
        path.write_text(whole, "utf-8")


def main(word: str) -> int:
    """Breaks them; the exit status is 1 where one was not noticed."""
    known, survived, made = equivalents(), 0, 0
    for path in (each for each in files() if word in str(each)):
        texts = {name: one.text for name, one in zip(names(path), MUTATION.breaks(path, windows=True), strict=True)}
        left = {name: text for name, text in texts.items() if name not in known}
        tests = tests_of(path)
        if unit := [test for test in tests if test.startswith(LISTED.UNIT)]:
            noticed = noticed_in_turn(path, list(left.values()), unit)
        else:
            noticed = set()
        for number, (name, text) in enumerate(left.items()):
            seen = number in noticed or noticed_alone(path, text, [test for test in tests if test not in unit])
            made, survived = made + 1, survived + (not seen)
            print("noticed " if seen else "SURVIVED", name, flush=True)
    print(f"{made} breaks, {survived} survived")
    return bool(survived)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
