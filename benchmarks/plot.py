"""Puts the numbers of ``run.py --json`` into docs/: performance.md's table and plot, and what comparison.md quotes.

Usage: ``python benchmarks/plot.py build/bench.json``, or ``make bench-docs``.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt

DOCS = Path(__file__).resolve().parent.parent / "docs" / "explanation"
BEGIN, END = "<!-- the table begins -->", "<!-- the table ends -->"
OURS, PEER, FLOOR = "#0b6e4f", "#9aa5b1", "#d9dee4"
# What the plot calls a row, by how the row begins.
STARTS = {
    "the floor": ("floor: Python, json, AESGCM", FLOOR),
    "a new process to its first header, warm cache, key file": ("lakekey, key file", OURS),
    "the same, key in the OS keyring": ("lakekey, OS keyring", OURS),
    "msal with msal-extensions: the same": ("msal + msal-extensions", PEER),
    "botocore, SSO session: the same": ("botocore, SSO", PEER),
    "databricks-sql-connector: the same": ("databricks-sql-connector", PEER),
    "databricks-sdk: the same": ("databricks-sdk", PEER),
}
# The rows whose times the comparison page quotes, in the order of its columns.
QUOTED = (
    "a new process to its first header, warm cache, key file",
    "databricks-sdk: the same, warm external-browser",
    "databricks-sql-connector: the same",
    "msal with msal-extensions: the same",
)
HERDS = {
    "8 processes of 1 thread on one expired session": ("lakekey", OURS),
    "8 processes of 1 thread: msal": ("msal + msal-extensions", PEER),
    "8 processes of 1 thread: botocore": ("botocore, SSO", PEER),
    "8 processes of 1 thread: databricks-sql-connector": ("databricks-sql-connector", PEER),
    "8 processes of 1 thread: databricks-sdk, external": ("databricks-sdk", PEER),
}


def main() -> None:
    results = json.loads(Path(sys.argv[1]).read_text())
    write_table(results)
    write_comparison(results["rows"])
    draw(results["rows"])


def write_table(results: dict[str, Any]) -> None:
    lines = [" | ".join(["", *results["header"], ""]).strip(), "|---" * len(results["header"]) + "|"]
    lines += [" | ".join(["", *row["cells"], ""]).strip() for row in results["rows"]]
    page = DOCS / "performance.md"
    before, _, rest = page.read_text().partition(BEGIN)
    about = "".join(f"- {line}\n" for line in results["about"])
    page.write_text(f"{before}{BEGIN}\n\n{about}\n" + "\n".join(lines) + f"\n\n{END}{rest.partition(END)[2]}")


def write_comparison(rows: list[dict[str, Any]]) -> None:
    page = DOCS / "comparison.md"
    cells = [row["cells"] for row in rows]
    times = iter([next(time for what, time, *_ in cells if what == quoted) for quoted in QUOTED])
    lines = page.read_text(encoding="utf-8").splitlines(keepends=True)
    (at,) = (i for i, line in enumerate(lines) if line.startswith("| A new process to its first header"))
    lines[at] = re.sub(r"\[[\d.]+ m?s\]", lambda _: f"[{next(times)}]", lines[at])
    page.write_text("".join(lines), encoding="utf-8")


def draw(rows: list[dict[str, Any]]) -> None:
    # The same numbers make the same file.
    mpl.rcParams.update({"svg.hashsalt": "lakekey", "svg.fonttype": "none", "font.size": 9})
    figure, (starts, herds) = plt.subplots(1, 2, figsize=(11, 3), layout="constrained")
    bars(starts, chosen(rows, STARTS, lambda row: row["seconds"] * 1e3), "{:,.0f} ms")
    starts.set_xscale("log")
    starts.set_title("A new process to its first header, warm cache (ms, log)", loc="left")
    bars(herds, chosen(rows, HERDS, lambda row: served(row["counted"])), "{:.0f} of 8")
    herds.set_title("8 processes on one expired, rotating session: served", loc="left")
    herds.set_xlim(0, 9.5)
    figure.savefig(DOCS / "performance.svg", metadata={"Date": None})


def chosen(rows: list[dict[str, Any]], names: dict[str, tuple[str, str]], value: Any) -> list[tuple[str, str, float]]:
    """Label, colour and number of the first row that begins with each of the names."""
    found = []
    for beginning, (label, colour) in names.items():
        row = next((row for row in rows if row["what"].startswith(beginning)), None)
        if row is not None and row["counted"] != "—":
            found.append((label, colour, value(row)))
    return found[::-1]


def served(counted: str) -> float:
    """The number in ``… token requests, 2 of 8 served``."""
    return float(counted.split(", ")[1].split(maxsplit=1)[0])


def bars(axes: Any, numbers: list[tuple[str, str, float]], shown: str) -> None:
    labels, colours, values = zip(*numbers, strict=True)
    drawn = axes.barh(labels, values, color=colours)
    axes.bar_label(drawn, [shown.format(value) for value in values], padding=3)
    axes.margins(x=0.2)
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    mpl.use("svg")
    main()
