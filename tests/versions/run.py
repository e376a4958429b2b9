"""Installs the lowest and the newest releases of the dependencies, and runs the smoke test with each.

    python tests/versions/run.py [--python 3.11 --python 3.12] [--resolution lowest-direct] [--extra sql ...]

``lowest-direct`` takes the lowest release that pyproject.toml allows of what it names, on the oldest Python that is here;
``highest`` takes the newest of everything, on each Python from 3.11 on that is here. A resolution that is named runs on
each. A Python that is not here is named and left out; one at least runs. uv comes from the environment that runs this.
Prints one line for each environment; exits with 1 if any failed.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHONS = ("3.11", "3.12", "3.13")
RESOLUTIONS = ("lowest-direct", "highest")
# Those whose packages are small. pyspark and Airflow have environments of their own, in noxfile.py.
EXTRAS = [
    "kms-aws",
    "kms-azure",
    "kms-gcp",
    "otel",
    "postgresql",
    "redis",
    "sandbox",
    "sdk",
    "sql",
    "sqlalchemy",
    "web",
]
# Seconds for one environment: downloads and starts on a machine that is busy with other parts.
PATIENCE = 400


def interpreter(version):
    """A Python of that version: on the path, or among pyenv's; ``None`` if there is none that runs."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [shutil.which(f"python{version}"), *sorted(pyenv.glob(f"{version}.*/bin/python"), reverse=True)]
    for path in filter(None, found):
        if subprocess.run([path, "-c", "import venv"], capture_output=True, check=False).returncode == 0:
            return str(path)
    return None


def uv():
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv") or sys.exit("uv is missing: make setup installs it")


def run(arguments, deadline, **options):
    left = max(1, deadline - time.monotonic())
    done = subprocess.run(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=left, **options
    )
    if done.returncode:
        raise RuntimeError(done.stdout[-3000:])
    return done.stdout.strip()


def check(python, resolution, extras, directory, deadline):
    """Make an environment and run the smoke test in it; gives the smoke test's line of versions."""
    run([uv(), "venv", "--quiet", "--python", python, directory], deadline)
    there = os.path.join(directory, "bin", "python")
    packages = [f"{ROOT}[{','.join(extras)}]", str(ROOT / "packages/lakekey-sandbox")]
    # With the newest of everything, deprecations are what the next release breaks; here they are the packages' own.
    install = [uv(), "pip", "install", "--quiet", "--python", there, "--resolution", resolution, *packages]
    run(install, deadline)
    smoke = str(Path(__file__).with_name("smoke.py"))
    # Its programs take the bytecode that the first of them writes, also where Python is told to write none.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return run([there, smoke], deadline, cwd=directory, env=environ).splitlines()[-1]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--python", action="append", choices=PYTHONS)
    options.add_argument("--resolution", action="append", choices=RESOLUTIONS)
    options.add_argument("--extra", action="append")
    given = options.parse_args()
    pythons = {version: interpreter(version) for version in given.python or PYTHONS}
    for version in [version for version, path in pythons.items() if path is None]:
        print(f"{version}: not here")
        del pythons[version]
    if not pythons:
        sys.exit("there is no Python to test with")
    failed = 0
    for at, (version, path) in enumerate(pythons.items()):
        for resolution in given.resolution or RESOLUTIONS[min(at, 1) :]:
            begun = time.monotonic()
            with tempfile.TemporaryDirectory(prefix="lakekey-versions-") as directory:
                try:
                    said = check(path, resolution, given.extra or EXTRAS, directory, begun + PATIENCE)
                except (RuntimeError, subprocess.TimeoutExpired) as error:
                    failed += 1
                    said = f"FAILED\n{error}"
            print(f"{version} {resolution} ({time.monotonic() - begun:.0f} s): {said}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
