"""Run by Windows' Python: makes breaks of one module in this process, and runs its tests for each.

Arguments: the module, a file of JSON with the texts of its breaks, the first of them to make, and pytest's arguments. It
writes a line for each: its number, and pytest's exit status. A break may end the process; `break_every_line.py` starts it
again behind that one.
"""

import contextlib
import importlib
import io
import json
import sys
from pathlib import Path

import pytest


def status(namespace: dict[str, object], text: str, path: str, tests: list[str]) -> int:
    """pytest's exit status with a text in place of the module's own."""
    try:
        exec(compile(text, path, "exec"), namespace)
    except Exception:
        return pytest.ExitCode.TESTS_FAILED
    with contextlib.redirect_stdout(io.StringIO()):
        return pytest.main(["-x", "-q", "-p", "no:randomly", "--timeout", "60", *tests])


def main() -> None:
    """Makes them, one after the other."""
    name, file, first, *tests = sys.argv[1:]
    module = importlib.import_module(name)
    texts = json.loads(Path(file).read_text("utf-8"))
    for number in range(int(first), len(texts)):
        print(number, int(status(vars(module), texts[number], str(module.__file__), tests)), flush=True)


if __name__ == "__main__":
    main()
