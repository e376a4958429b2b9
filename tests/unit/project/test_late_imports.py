"""Whatever the product imports late, it imports under the lock that a fork waits for (`lakekey._imports`)."""

import ast
from pathlib import Path

import pytest

import lakekey

ROOT = Path(lakekey.__file__).parent
# Programs and test tools of their own, whose threads load nothing late, or which the tool that loads them starts.
PROGRAMS = {"_imports.py", "airflow", "cli", "sandbox.py"}
MODULES = [path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts[0] not in PROGRAMS]


def bare_imports(node: ast.AST, *, late: bool = False) -> list[ast.AST]:
    """The import statements in functions that stand in no ``with LOADING`` or ``with libraries()``."""
    if isinstance(node, ast.With) and {ast.unparse(item) for item in node.items} & {"LOADING", "libraries()"}:
        return []
    if late and isinstance(node, (ast.Import, ast.ImportFrom)):
        return [node]
    late = late or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    return [found for child in ast.iter_child_nodes(node) for found in bare_imports(child, late=late)]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_late_import_holds_the_lock(module):
    assert [ast.unparse(found) for found in bare_imports(ast.parse(module.read_text()))] == []


def test_an_import_without_it_is_found():
    assert len(bare_imports(ast.parse("def work():\n    import random\n    with LOADING:\n        import re"))) == 1
