"""The program for the SDKs on Windows: the launcher that an installer made, and an archive of ours behind it."""

import subprocess
import sys
import zipfile

import pytest

from lakekey.cli.serving import windows_program
from lakekey.errors import ConfigurationError

LEAST = 1 << 20
LAUNCHER = b"MZ, and what a launcher does\n#!python.exe\n"


@pytest.fixture
def scripts(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "lakekey")])
    monkeypatch.setattr(windows_program.sysconfig, "get_path", lambda _: str(tmp_path / "elsewhere"))
    return tmp_path


def install(scripts, behind=b""):
    """An installer's launcher, with its archive and what may stand behind it."""
    with open(scripts / "lakekey.exe", "wb") as file:
        file.write(LAUNCHER)
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("__main__.py", "raise SystemExit('the script of lakekey.exe')")
    with open(scripts / "lakekey.exe", "ab") as file:
        file.write(behind)


def test_it_is_the_launcher_with_a_script_that_speaks_as_the_databricks_cli(scripts):
    install(scripts)
    made = windows_program.content(LEAST)
    assert made.startswith(LAUNCHER)
    assert len(made) > LEAST
    assert made == windows_program.content(LEAST)
    program = scripts / "databricks.exe"
    program.write_bytes(made)
    done = subprocess.run([sys.executable, program, "version"], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.startswith("Databricks CLI v"), done.stderr


@pytest.mark.parametrize("content", [None, b"", b"a program of another kind"])
def test_without_such_a_launcher_the_error_names_what_can_be_done(scripts, content):
    if content is not None:
        (scripts / "lakekey.exe").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"lakekey\.exe was not installed by pip") as caught:
        windows_program.content(LEAST)
    assert "lakekey serve" in caught.value.hint


def test_launcher_that_finds_its_python_behind_the_archive_is_refused(scripts):
    install(scripts, behind=b"C:\\python.exe" + bytes([13, 0, 0, 0]) + b"UVUV")
    with pytest.raises(ConfigurationError, match=r"lakekey\.exe was not installed by pip"):
        windows_program.content(LEAST)
