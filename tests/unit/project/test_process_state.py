"""Each test is a process of its own: what a module remembers is forgotten between two of them, or kept for a reason."""

import ast
from pathlib import Path

import lakekey.session.wait_notice
from lakekey.cache import opening
from support.process_state import KEPT, MEMORY, SINGLE, reset_process_state

SOURCE = Path(__file__).parents[3] / "src"
EMPTY = {"set()", "dict()", "list()", "{}", "[]", "None", "OrderedDict()", "KeptConnections()"}


def remembered():
    """Module and name of each variable of a module that begins empty."""
    for path in SOURCE.rglob("*.py"):
        module = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            value = getattr(node, "value", None)
            if value is not None and ast.unparse(value) in EMPTY:
                for target in targets:
                    if isinstance(target, ast.Name) and target.id.islower() and target.id != "provider":
                        yield module, target.id


def test_what_a_module_remembers_is_forgotten_or_kept_for_a_reason():
    known = {(module, name) for table in (MEMORY, SINGLE, KEPT) for module, names in table.items() for name in names}
    assert known == set(remembered())


def test_forgetting_empties_what_is_listed():
    lakekey.session.wait_notice._told["entry"] = 1.0
    before = opening.open_cache({"LAKEKEY_STORE": "memory:"})
    reset_process_state()
    assert lakekey.session.wait_notice._told == {}
    assert opening.open_cache({"LAKEKEY_STORE": "memory:"}) is not before
