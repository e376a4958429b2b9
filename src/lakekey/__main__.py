"""``python -m lakekey``: the command line."""

from lakekey.cli import run

if __name__ == "__main__":
    run()
