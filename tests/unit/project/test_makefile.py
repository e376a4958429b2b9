"""`make test` runs every part, and fails when any of them does."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def make(tmp_path):
    """Runs `make test` with parts of our own: ``bad`` fails, ``shaky`` fails once, the others do not."""
    extra = tmp_path / "parts.mk"
    extra.write_text(
        "good other:\n\t@echo $@ was run\n"
        "slow:\n\t@sleep 0.5\n"
        "bad:\n\t@false\n"
        f"shaky:\n\t@if mkdir '{tmp_path}/tried' 2>/dev/null; then false; fi\n"
    )
    # Nothing of the make that runs these tests: its flags name variables, too.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "RETRY"))}

    def make(*settings):
        return subprocess.run(
            [shutil.which("make"), "test", "ENVIRONMENTS=", *settings],
            cwd=ROOT,
            env={**kept, "MAKEFILES": str(extra)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return make


@pytest.mark.parametrize("retry", ["", "1"])
@pytest.mark.parametrize("parts", ["MAIN_PART=bad OTHER_PARTS=good", "MAIN_PART=good OTHER_PARTS=bad other"])
@pytest.mark.parametrize("at_once", ["-j1", "-j2"])
def test_a_part_that_fails_fails_the_whole_and_keeps_none_from_being_run(make, retry, parts, at_once):
    main, others = parts.split(" ", 1)
    done = make(main, others, f"RETRY={retry}", at_once)
    assert done.returncode != 0
    assert "good was run" in done.stdout
    assert "good passed after" in done.stdout
    assert "bad failed after" in done.stdout
    assert ("other passed after" in done.stdout) == ("other" in others)
    assert ("bad failed: once more" in done.stdout) == bool(retry)


def test_the_main_part_is_run_by_itself(make):
    done = make("MAIN_PART=slow", "OTHER_PARTS=good other", "-j3")
    assert done.returncode == 0
    assert done.stdout.index("slow passed") < done.stdout.index("good was run")


@pytest.mark.parametrize(("retry", "fine"), [("", False), ("1", True)])
def test_a_part_that_fails_once_is_repeated_only_where_that_is_asked_for(make, retry, fine):
    assert (make("MAIN_PART=good", "OTHER_PARTS=shaky", f"RETRY={retry}").returncode == 0) == fine
