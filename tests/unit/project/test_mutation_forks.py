"""What tests/mutation/forked.py tries, it tries on the code that is broken, and not on the code as it is."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
TRIED = """
import ast, gc, sys
from pathlib import Path
import forked

file = Path(sys.argv[1])
loaded = {}
exec(compile(file.read_text("utf-8"), str(file), "exec"), loaded)
gc.freeze()  # as the tests' support does with all that was collected
assert forked.put_in(ast.parse("def answer():\\n    return 2\\n"), str(file))
print(loaded["answer"](), gc.get_freeze_count() > 0)
"""


def test_break_is_put_into_functions_that_the_collector_does_not_look_at(tmp_path):
    file = tmp_path / "module.py"
    file.write_text("def answer():\n    return 1\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", TRIED, str(file)],
        cwd=ROOT / "tests/mutation",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "2 True\n"
