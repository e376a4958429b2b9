"""The earlier releases that the tests of compatibility run, where the repository's history is there."""

import os
import subprocess
import tarfile
from pathlib import Path

ROOT = str(Path(__file__).parents[2])
#: Before the code was sorted into rooms, and the release 0.1.0.
EARLIER = ("0c2ca1d9d5ac8fcb41713c3ebcb89bb71cb8549e", "17750be8e0b249b43d2502f74e1b86f3c6fdd871")


def are_there() -> bool:
    """Whether the tests are to be collected: not in a shallow clone. CI has it all, and does not pass by its absence."""
    return "LAKEKEY_REQUIRE_ALL" in os.environ or all(map(_has, EARLIER))


def unpack(commit: str, place: Path, *folders: str) -> Path:
    """Puts folders of a release where a test wants them."""
    archive = place / "earlier.tar"
    subprocess.run(["git", "-C", ROOT, "archive", "-o", str(archive), commit, *folders], check=True, timeout=60)
    with tarfile.open(archive) as packed:
        packed.extractall(place, filter="data")
    return place


def _has(commit: str) -> bool:
    look = ["git", "-C", ROOT, "cat-file", "-e", f"{commit}^{{commit}}"]
    try:
        return subprocess.run(look, capture_output=True, timeout=60, check=False).returncode == 0
    except OSError:  # there is no git
        return False
