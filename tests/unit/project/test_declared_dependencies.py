"""Every package that the sandbox imports is declared by its distribution."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]
SANDBOX = ROOT / "packages/lakekey-sandbox"
# The engine that the user installs, and what a declared package promises as part of what it is.
GIVEN = {"pyspark", "werkzeug", "pyarrow", "thrift", "cryptography"}


def imported(folder):
    """The top-level packages that are imported anywhere, with one file that does."""
    found = {}
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            for name in names:
                found.setdefault(name, file.name)
    return found


def declared(project):
    said = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = [said["dependencies"], *said.get("optional-dependencies", {}).values()]
    return {re.match(r"[\w.-]+", it)[0].lower().replace("_", "-") for each in lists for it in each}


def distributions():
    """Each importable name, such as ``databricks.sdk``, with the distributions that bring it."""
    found = {}
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"].lower().replace("_", "-")
        for file in map(str, distribution.files or ()):
            if file.endswith(".py"):
                parts = file.removesuffix(".py").split("/")
                for depth in range(1, len(parts) + 1):
                    found.setdefault(".".join(parts[:depth]), set()).add(name)
    return found


def test_every_import_of_the_sandbox_is_declared():
    brought = distributions()
    # What lakekey declares comes with `lakekey[sdk,sql]`, which the sandbox depends on.
    known = declared(SANDBOX) | declared(ROOT)
    missing = {}
    for name, file in imported(SANDBOX / "src/lakekey_sandbox").items():
        parts = name.split(".")
        if parts[0] in sys.stdlib_module_names or parts[0] in GIVEN | {"lakekey", "lakekey_sandbox"}:
            continue
        depth = next((d for d in range(len(parts), 0, -1) if ".".join(parts[:d]) in brought), 1)
        if not brought.get(".".join(parts[:depth]), set()) & known:
            missing[name] = file
    assert missing == {}
