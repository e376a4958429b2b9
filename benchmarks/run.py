"""Runs the benchmarks (``make bench``), all or those that are named, and prints one table.

A benchmark is a module beside this one with ``run(bench) -> list[Row]``; name it in ``BENCHMARKS``.
"""

import argparse
import platform
import sys
from importlib import import_module
from importlib.metadata import version
from os import cpu_count

from harness import Bench, compile_bytecode, print_table, progress

BENCHMARKS = ("hot_path", "cold_start", "import_time")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)} (default: all)")
    names = parser.parse_args().names or BENCHMARKS
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
    packages = ", ".join(f"{name} {version(name)}" for name in ("lakekey", "databricks-sdk", "cryptography"))
    print(f"Python {platform.python_version()} on {cpu_count()} CPUs; {packages}")
    print(f"{bytecode}; medians of interleaved runs in this one run\n")
    print_table(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
