"""The processor time of whole commands, before and after: those of another commit beside this tree's, taking turns.

    python benchmarks/commands.py [--before 0c2ca1d] [--rounds 21]

Each run is a process of its own on a warm cache, with compiled bytecode. The rounds of both are interleaved, so that
the machine's other work falls on both alike.
"""

import argparse
import compileall
import os
import pty
import statistics
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

from lakekey.sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[1]
IN_A_TERMINAL = ", in a terminal"
COMMANDS = {
    "lakekey token": ["token", "prod"],
    "lakekey status": ["status"],
    f"lakekey status{IN_A_TERMINAL}": ["status"],
    "lakekey status prod": ["status", "prod"],
    "lakekey --version": ["--version"],
}
PROGRAM = "import sys; sys.argv[0] = 'lakekey'; from lakekey.cli import run; run()"
FOREIGN = ("DATABRICKS_", "LAKEKEY_", "PYTHON", "CI")


def main() -> None:
    """Measure and print the table, in Markdown."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--before", default="0c2ca1d", help="the commit to compare with")
    options.add_argument("--rounds", type=int, default=21)
    chosen = options.parse_args()
    with Sandbox() as box, tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        trees = {"before": other_tree(chosen.before, home / "before"), "after": ROOT / "src"}
        for tree in trees.values():
            compileall.compile_dir(tree, quiet=2)
        (home / ".databrickscfg").write_text(f"[prod]\nhost = {box.host}\n")
        (home / ".databrickscfg").chmod(0o600)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)},
            **{name: value for name, value in box.environment().items() if not name.startswith("DATABRICKS_")},
            "HOME": directory, "LAKEKEY_KEY_SOURCE": "file", "BROWSER": box.person().command(),
        }  # fmt: skip
        command(trees["after"], ["login", "prod"], {**environment, "LAKEKEY_INTERACTIVE": "browser"})
        took = measure(trees, environment, chosen.rounds)
        assert box.counters["token.requests"] == 1, "a cache was not warm"
    report(took, chosen.before, chosen.rounds)


def other_tree(commit: str, place: Path) -> Path:
    """The source of a commit."""
    archived = subprocess.run(["git", "-C", ROOT, "archive", commit, "src"], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=BytesIO(archived)) as archive:
        archive.extractall(place, filter="data")
    return place / "src"


def command(tree: Path, arguments: list[str], environment: dict[str, str], *, terminal: bool = False) -> float:
    """Runs a command of a tree. Returns its seconds on the processor, of which other programs take nothing."""
    ours, theirs = pty.openpty() if terminal else (os.open(os.devnull, os.O_RDONLY), os.open(os.devnull, os.O_WRONLY))
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        env={**environment, "PYTHONPATH": str(tree), "TERM": "xterm"}, stdout=theirs,
    )  # fmt: skip
    _, status, usage = os.wait4(process.pid, 0)
    os.close(theirs)
    os.close(ours)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, arguments
    return usage.ru_utime + usage.ru_stime


def measure(trees: dict[str, Path], environment: dict[str, str], rounds: int) -> dict[tuple[str, str], list[float]]:
    """The seconds of each command of each tree, round by round; who begins changes with each round."""
    took: dict[tuple[str, str], list[float]] = {(name, which): [] for name in COMMANDS for which in trees}
    for number in range(-1, rounds):  # the first round warms the machine's own caches
        for name, arguments in COMMANDS.items():
            for which in list(trees) if number % 2 else reversed(list(trees)):
                seconds = command(trees[which], arguments, environment, terminal=name.endswith(IN_A_TERMINAL))
                if number >= 0:
                    took[name, which].append(seconds)
    return took


def report(took: dict[tuple[str, str], list[float]], before: str, rounds: int) -> None:
    """Print the medians side by side."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(
        f"{rounds} interleaved rounds, medians of processor time\n"
        f"Python {sys.version.split()[0]}, {os.cpu_count()} CPUs, load {load}\n"
    )
    print(f"| command, a whole process | at {before} | now | ratio |\n|---|---|---|---|")
    for name in COMMANDS:
        old, new = (statistics.median(took[name, which]) for which in ("before", "after"))
        print(f"| `{name}` | {old * 1000:.0f} ms | {new * 1000:.0f} ms | {new / old:.2f} |")


if __name__ == "__main__":
    main()
