"""Builds the site of the documentation: this tree as `main`, and with --releases each tagged release beside it.

    python docs/build.py [--releases] [--into build/docs]

Each version stands in a directory of its own, with a search of its own; the newest release, or `main` where there is
none, is what the front page leads to. A warning, a broken link for one, fails the build.
"""

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).parents[1]
FRONT = '<!doctype html>\n<title>lakekey</title>\n<meta http-equiv="refresh" content="0; url={}/">\n'


def sphinx(tree: Path, into: Path, name: str) -> None:
    """Build the pages of one tree. Its own source stands in front of the one that is installed."""
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "-E",
        "--keep-going",
        "-b",
        "html",
        tree / "docs",
        into / name,
    ]
    subprocess.run(command, check=True, env={**os.environ, "LAKEKEY_DOCS_VERSION": name})


def git(*arguments: str) -> bytes:
    """What git answers about this repository."""
    return subprocess.run(["git", "-C", ROOT, *arguments], check=True, capture_output=True).stdout


def releases() -> list[str]:
    """The tags of releases, the newest first."""
    return git("tag", "--list", "v[0-9]*", "--sort=-version:refname").decode().split()


def build(into: Path, tags: list[str]) -> None:
    """Build `main` and the tags, and write the list that the version switcher reads."""
    sphinx(ROOT, into, "main")
    for tag in tags:
        with tempfile.TemporaryDirectory() as tree:
            with tarfile.open(fileobj=BytesIO(git("archive", tag))) as archive:
                archive.extractall(tree, filter="data")
            sphinx(Path(tree), into, tag.removeprefix("v"))
    names = [tag.removeprefix("v") for tag in tags]
    latest = names[0] if names else "main"
    versions = [{"name": "main", "version": "main", "url": "../main/"}]
    versions += [{"name": name, "version": name, "url": f"../{name}/", "preferred": name == latest} for name in names]
    (into / "versions.json").write_text(json.dumps(versions, indent=2), encoding="utf-8")
    (into / "index.html").write_text(FRONT.format(latest), encoding="utf-8")


def main() -> None:
    """What `make docs` runs."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--releases", action="store_true", help="build each tagged release as well")
    options.add_argument("--into", type=Path, default=ROOT / "build/docs", help="where the site is written")
    chosen = options.parse_args()
    build(chosen.into, releases() if chosen.releases else [])
    print(f"{chosen.into}/index.html")


if __name__ == "__main__":
    main()
