"""What type checkers say of users' programs, with the package that is installed and no source beside it.

`api.py` is such a program: what is right in it passes, and each line that ends with ``# error`` is found.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.node_packages import ensure_installed, node

HERE = Path(__file__).resolve().parent
PROGRAM = HERE / "api.py"
WRONG = {
    number
    for number, line in enumerate(PROGRAM.read_text(encoding="utf-8").splitlines(), 1)
    if line.endswith("# error")
}

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def program(tmp_path):
    """The program in a directory of its own, so that nothing of the checkout lies on its path."""
    return shutil.copy(PROGRAM, tmp_path / "api.py")


@pytest.fixture(scope="session")
def pyright():
    """Runs pyright, from the packages that the lock file pins; its report."""
    if node() is None:
        pytest.skip("pyright needs Node.js")
    ensure_installed(HERE)

    def run(*arguments, cwd):
        command = [node(), str(HERE / "node_modules" / "pyright" / "index.js"), "--outputjson"]
        done = subprocess.run(
            [*command, "--pythonpath", sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=cwd
        )
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    return run


def test_mypy_accepts_the_right_lines_and_finds_each_wrong_one(program, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--cache-dir", str(tmp_path / "cache"), program],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert {int(number) for number in re.findall(r"api\.py:(\d+): error", done.stdout)} == WRONG, done.stdout


def test_pyright_accepts_the_right_lines_and_finds_each_wrong_one(pyright, program, tmp_path):
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    found = pyright(program, cwd=tmp_path)["generalDiagnostics"]
    assert {each["range"]["start"]["line"] + 1 for each in found} == WRONG, found
