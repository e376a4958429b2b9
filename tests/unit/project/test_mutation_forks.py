"""What tests/mutation/forked.py tries, it tries on the code that is broken, and not on the code as it is."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
TRIED = """
import ast, gc, sys
from pathlib import Path
from types import SimpleNamespace
import forked

file = Path(sys.argv[1])
loaded = {}
exec(compile(file.read_text("utf-8"), str(file), "exec"), loaded)
gc.freeze()  # as the tests' support does with all that was collected
assert forked.put_in(ast.parse("def answer():\\n    return 2\\n"), str(file))
print(loaded["answer"](), gc.get_freeze_count() > 0)
one = SimpleNamespace(tree=ast.parse("def answer():\\n    return 3\\n"))
status = forked.Forks(file, "module", [], None, None, None)._run(SimpleNamespace(items=[None]), one, [], [])
print(loaded["answer"](), status)
"""
LEFT = """
import os, subprocess
from lasting import Lasting

lasting = Lasting(None)
if (child := os.fork()) == 0:
    subprocess.Popen(["sleep", "600"], start_new_session=True)
    os._exit(0)
os.waitpid(child, 0)
with open(f"/proc/{os.getpid()}/task/{os.getpid()}/children") as children:
    [left] = map(int, children.read().split())
lasting.tidy(whole=False)
print(os.path.exists(f"/proc/{left}"))
"""


def run(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT / "tests/mutation",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.splitlines()


def test_break_is_put_into_functions_that_the_collector_does_not_look_at_and_is_not_noticed_by_no_test(tmp_path):
    file = tmp_path / "module.py"
    file.write_text("def answer():\n    return 1\n", encoding="utf-8")
    assert run(TRIED, str(file)) == ["2 True", "3 0"]


def test_process_that_a_fork_leaves_in_a_session_of_its_own_is_ended():
    assert run(LEFT) == ["False"]
