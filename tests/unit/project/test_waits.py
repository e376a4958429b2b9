"""Each wait of the product has an end and a test that shows it: ``waits.txt`` has them all, found here by syntax."""

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = [ROOT / "src", *sorted((ROOT / "packages").glob("*/src"))]
TABLE = Path(__file__).with_name("waits.txt")

#: What waits, by its name, whatever it is called on.
CALLS = {
    "accept", "acquire", "as_completed", "blpop", "brpop", "check_call", "check_output", "communicate", "connect", "fail_after",
    "flock", "getaddrinfo", "getpass", "handle_request", "input", "lockf", "pause", "poll", "Popen", "readline", "recv",
    "recv_into", "recvfrom", "request", "result", "run_sync", "run_until_complete", "see_through", "select", "sleep",
    "to_thread", "urlopen", "wait", "wait_for", "waitpid",
}  # fmt: skip
#: What such a name is called on that makes it another thing.
OTHERS = {
    "exp.select": "sqlglot makes a query",
    "select": "a choice of how to sign in",
    "operation.result": "what a statement has found",
    "self.accept": "a token is taken note of",
    "self._sign_in.accept": "a token is taken note of",
}
#: Locks that are held for a few steps. Nothing is waited for under them, and so no wait for them has an entry.
SHORT = re.compile(r"self\.(_lock|_guard|_ticket_lock)|operation\.lock")
LOCK = re.compile(
    r"(lock|guard|_turn)$|\b(lock|locked|hold|turn|is_first|changing_key|FileLock|wait_for|_one_at_a_time)\("
)
IMPORTS = {"LOADING", "libraries()"}  # under which only imports happen: test_late_imports.py


def called(node):
    """What is called, as in ``done.wait``, if that waits."""
    function = ast.unparse(node.func)
    name, on = function.rpartition(".")[2], function.rpartition(".")[0]
    named = {keyword.arg: keyword.value for keyword in node.keywords}
    if name == "run" and on == "subprocess":
        return function
    if name == "join":
        of_threads = on == "" or re.search(r"thread|acceptor|process|worker|joining", on)
        return function if not node.args or of_threads else None
    if name == "get":
        waits = "timeout" in named or (not node.args and not named and re.search(r"(work|lines|added|queue)$", on))
        return function if waits else None
    if name == "acquire" and ast.unparse(named.get("blocking", ast.Constant(True))) == "False":
        return None
    return function if name in CALLS and function not in OTHERS else None


def entered(node):
    """The contexts that a statement, or a call of an `ExitStack`, enters."""
    if isinstance(node, ast.Call):
        return [ast.unparse(node.args[0])] if ast.unparse(node.func).endswith(".enter_context") else []
    return [ast.unparse(item.context_expr) for item in node.items]


def waits_in(node, place=()):
    """The waits in a piece of source: where, and what is called."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        place = (*place, node.name)
    if isinstance(node, ast.Call) and (what := called(node)):
        yield ".".join(place), what
    if isinstance(node, (ast.With, ast.AsyncWith, ast.Call)):
        for lock in entered(node):
            if LOCK.search(lock) and not SHORT.fullmatch(lock):
                yield ".".join(place), f"with {lock.partition('(')[0]}"
    for child in ast.iter_child_nodes(node):
        yield from waits_in(child, place)


@functools.cache
def modules():
    """Each module of the packages: its name, and its syntax."""
    found = [(path.relative_to(folder), path) for folder in FOLDERS for path in sorted(folder.rglob("*.py"))]
    return [(name.as_posix(), ast.parse(path.read_text(encoding="utf-8"))) for name, path in found]


@functools.cache
def waits():
    return {f"{name}::{place} {what}" for name, tree in modules() for place, what in waits_in(tree)}


def table():
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def test_each_wait_has_its_line_and_each_line_its_wait():
    listed = [line[0] for line in table()]
    assert len(listed) == len(set(listed))
    assert waits() - set(listed) == set(), "add what ends it, and a test that shows that, to waits.txt"
    assert set(listed) - waits() == set(), "there is no such wait any more"


def test_each_line_names_what_ends_the_wait_and_an_existing_test():
    for wait, end, test in table():
        path, _, name = test.partition("::")
        assert end, wait
        assert re.search(
            rf"^(async )?def {name}\(", (ROOT / "tests" / path).read_text(encoding="utf-8"), re.MULTILINE
        ), test


def test_nothing_is_waited_for_under_a_short_lock():
    blocks = [(name, node) for name, tree in modules() for node in ast.walk(tree) if isinstance(node, ast.With)]
    short = [(name, node) for name, node in blocks if SHORT.search(",".join(map(ast.unparse, node.items)))]
    assert short
    assert [(name, node.lineno) for name, node in short if list(waits_in(ast.Module(node.body, [])))] == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("def f():\n    done.wait()", [("f", "done.wait")]),
        ("class C:\n    def f(self):\n        with self._turn:\n            work()", [("C.f", "with self._turn")]),
        ("thread.join()\n', '.join(names)\nos.path.join(a, b)", [("", "thread.join")]),
        ("queue.get()\nsettings.get('a')\nlock.acquire(blocking=False)", [("", "queue.get")]),
        ("with self._lock:\n    values.clear()", []),
        ("stack.enter_context(store.lock('a'))", [("", "with store.lock")]),
    ],
)
def test_waits_are_found_by_syntax(code, found):
    assert list(waits_in(ast.parse(code))) == found
