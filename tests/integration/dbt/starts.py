"""Runs dbt for each line of standard input, by a process of its own that has dbt's modules already.

Their import is most of a start: it is done once, before the processes fork. Ours is left to each of them. A line is JSON;
the answer is one with the exit status.
"""

import json
import os
import sys

import dbt.adapters.databricks  # noqa: F401 - what takes the time
from dbt.cli.main import cli


def run(arguments, directory, environ, output):
    """Becomes ``dbt`` with these arguments, which ends this process."""
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(directory)
    said = os.open(output, os.O_WRONLY)
    for stream, file in enumerate((os.open(os.devnull, os.O_RDONLY), said, said)):
        os.dup2(file, stream)
    sys.argv = ["dbt", *arguments]
    sys.exit(cli())


def main():
    for line in sys.stdin:
        child = os.fork()
        if not child:
            run(**json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
