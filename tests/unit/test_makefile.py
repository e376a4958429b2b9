"""`make test` runs every part, and fails when any of them does."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def make(tmp_path):
    """Runs `make test` with parts of our own: ``bad`` fails, ``shaky`` fails once, ``good`` does not."""
    extra = tmp_path / "parts.mk"
    extra.write_text(
        "good:\n\t@echo good was run\n"
        "bad:\n\t@false\n"
        f"shaky:\n\t@if mkdir '{tmp_path}/tried' 2>/dev/null; then false; fi\n"
    )
    # Nothing of the make that runs these tests: its flags name variables, too.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "RETRY"))}

    def make(*settings):
        return subprocess.run(
            [shutil.which("make"), "test", *settings],
            cwd=ROOT,
            env={**kept, "MAKEFILES": str(extra)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return make


@pytest.mark.parametrize("retry", ["", "1"])
def test_a_part_that_fails_fails_the_whole_and_keeps_none_from_being_run(make, retry):
    done = make("TEST_PARTS=bad good", f"RETRY={retry}")
    assert done.returncode != 0
    assert "good was run" in done.stdout
    assert "failed: bad\n" in done.stdout
    assert ("once more" in done.stdout) == bool(retry)


@pytest.mark.parametrize(("retry", "fine"), [("", False), ("1", True)])
def test_a_part_that_fails_once_is_repeated_only_where_that_is_asked_for(make, retry, fine):
    assert (make("TEST_PARTS=shaky good", f"RETRY={retry}").returncode == 0) == fine
