"""Runs the benchmarks (``make bench``), all or those that are named, and prints one table.

A benchmark is a module beside this one with ``run(bench) -> list[Row]``; name it in ``BENCHMARKS``.
"""

import argparse
import json
import platform
import sys
from importlib import import_module
from importlib.metadata import version
from os import cpu_count, getloadavg
from pathlib import Path

from harness import HEADER, Bench, cells, compile_bytecode, print_table, progress

BENCHMARKS = (
    "hot_path", "cold_start", "import_time", "herd", "stale", "interrupted", "killed", "entries", "hosted_sign_in",
    "fleet",
)  # fmt: skip

PACKAGES = (
    "lakekey",
    "databricks-sdk",
    "databricks-sql-connector",
    "msal",
    "msal-extensions",
    "botocore",
    "authlib",
    "psycopg",
    "redis",
    "cryptography",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument("--json", metavar="FILE", help="write the numbers there, too; plot.py reads them")
    arguments = parser.parse_args()
    names = arguments.names or BENCHMARKS
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]}")
    with progress("compiling bytecode"):
        bytecode = compile_bytecode()
    rows = []
    with Bench() as bench:
        for name in names:
            with progress(name):
                rows += import_module(name).run(bench)
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    about = [
        f"Python {platform.python_version()} on {cpu_count()} CPUs, load {getloadavg()[1]:.1f}; {packages}",
        f"{bytecode}; medians of interleaved runs in this one run, against one local server",
    ]
    print("\n".join(about), end="\n\n")
    print_table(rows)
    if arguments.json:
        place = Path(arguments.json)
        place.parent.mkdir(parents=True, exist_ok=True)
        table = [{**row._asdict(), "cells": cells(row)} for row in rows]
        place.write_text(json.dumps({"about": about, "header": HEADER, "rows": table}, indent=1, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
