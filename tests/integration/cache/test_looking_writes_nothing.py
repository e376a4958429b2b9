"""Commands that only look leave no cache and no key behind on a machine that has none."""

import os
import subprocess
import sys

import pytest

PROFILES = "[dev]\nhost = https://dev.cloud.databricks.com\n"


@pytest.mark.parametrize(
    "command",
    [
        *(["status"], ["status", "dev"], ["doctor"], ["profiles"], ["keys"], ["secret", "list"], ["import"]),
        ["store", "copy", "file:", "file:~/other"],  # there is nothing to move
    ],
    ids=" ".join,
)
def test_command_that_only_looks_makes_no_cache(tmp_path, command):
    (tmp_path / "cfg").write_text(PROFILES)
    (tmp_path / "home").mkdir(mode=0o700)
    done = subprocess.run(
        [sys.executable, "-c", "from lakekey.cli import run; run()", *command],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path / "home"),
            "DATABRICKS_CONFIG_FILE": str(tmp_path / "cfg"),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 1, 3)
    assert list((tmp_path / "home").rglob("*")) == []
