"""Makes an environment of pinned packages, unless it is there and current.

    python requirements/install.py DIRECTORY LIST [--editable PROJECT ...]

Packages come by name, version and hash. uv installs them because it is quick, and pip where uv does not get through:
only pip goes by the machine's pip.conf, in which a company names its index and its certificates. The tools' bytecode is
compiled, since some machines tell Python not to write it, and then every start would pay for compiling. That of the
other environments is written as their modules are imported (noxfile.py), which most of them never are.
"""

import argparse
import contextlib
import fcntl
import hashlib
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOOLS = os.path.join(ROOT, ".venv")
BOOTSTRAP = os.path.join(ROOT, "requirements", "bootstrap.txt")


@contextlib.contextmanager
def current(directory, files, *also):
    """Under the directory's lock: whether it was made from these files, which is noted when the block ends well."""
    os.makedirs(directory, exist_ok=True)
    digest = hashlib.sha256("\0".join(also).encode())
    for path in files:
        with open(path, "rb") as file:
            digest.update(file.read())
    stamp = os.path.join(directory, ".installed")
    with open(f"{directory}.lock", "w") as lock:  # not in it, where uv keeps one
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            with open(stamp, encoding="ascii") as file:
                fresh = file.read() == digest.hexdigest()
        except OSError:
            fresh = False
        yield fresh
        with open(stamp, "w", encoding="ascii") as file:
            file.write(digest.hexdigest())


def install(directory, what, only_uv=()):
    """Installs with uv, or else with pip."""
    python = os.path.join(directory, "bin", "python")
    uv = [os.path.join(TOOLS, "bin", "uv"), "pip", "install", "--quiet", "--python", python, "--no-deps"]
    if subprocess.run([*uv, *only_uv, *what], cwd=ROOT, check=False).returncode:
        print("uv did not get through, so pip installs it, which takes longer", flush=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--compile"]
        subprocess.run([*pip, *what], cwd=ROOT, check=True)


def environment(directory, listed, projects=()):
    """Makes the environment: the packages that a file lists, and projects of this tree, editable."""
    files = [os.path.join(ROOT, listed), BOOTSTRAP, *(os.path.join(ROOT, each, "pyproject.toml") for each in projects)]
    with current(directory, files, *projects) as fresh:
        if fresh:
            return
        subprocess.run([sys.executable, "-m", "venv", directory], check=True)
        if directory == TOOLS:  # which brings uv for itself and for the others
            pip = [os.path.join(directory, "bin", "python"), "-m", "pip", "install", "--quiet", "--require-hashes"]
            subprocess.run([*pip, "-r", BOOTSTRAP], check=True)
        compiled = ["--compile-bytecode"] if directory == TOOLS else []
        install(directory, ["--require-hashes", "-r", files[0]], compiled)
        if projects:
            install(
                directory, ["--no-build-isolation", *(f"--editable={os.path.join(ROOT, each)}" for each in projects)]
            )


if __name__ == "__main__":
    if sys.version_info < (3, 11):
        sys.exit("lakekey needs Python 3.11 or newer")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=os.path.abspath)
    parser.add_argument("list")
    parser.add_argument("--editable", action="append", default=[])
    given = parser.parse_args()
    environment(given.directory, given.list, given.editable)
