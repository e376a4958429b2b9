"""docs/reference/observability.md has a row for each logger and level that the source writes to, and no other."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/reference/observability.md").read_text(encoding="utf-8")
LEVELS = ("debug", "info", "warning")
# Where the level or the logger is chosen as the program runs.
CHOSEN = {
    "hot_path.py": {("provider", "warning"), ("provider", "debug")},
    "sign_in.py": {("web", "info"), ("web", "warning")},
    "events.py": {("login", "info"), ("session", "info")},
    "audit.py": {("audit", "info")},
}


def written():
    """The loggers below ``lakekey`` and the levels of the source's calls of `lakekey._log`."""
    found = set().union(*CHOSEN.values())
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(ast.Attribute(ast.Name("_log"), level), [ast.Constant(part), *_]) if level in LEVELS:
                    found.add((part, level))
                case ast.Call(ast.Attribute(ast.Name("_log"), level)) if level in LEVELS:
                    assert path.name in CHOSEN, path
    return found


def test_each_logger_has_a_row_for_each_of_its_levels():
    rows, part = set(), ""
    for logger, level in re.findall(r"^\| (?:`lakekey\.(\w+)` )?\| ([A-Z]+) \|", PAGE, re.MULTILINE):
        part = logger or part
        rows.add((part, level.lower()))
    assert rows == written()
