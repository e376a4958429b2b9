"""Output as a shell may leave it: closed, full, or in an encoding without our characters."""

import json
import os
import subprocess

import pytest

from support.processes import LAKEKEY

PROFILES = """\
[本番]
host = https://dbc-1.cloud.databricks.com
[café]
host = https://dbc-2.cloud.databricks.com
[smile😀]
host = https://dbc-3.cloud.databricks.com
[bad]
host = ftp://x
"""
COMMANDS = [["doctor", "bad"], ["profiles"], ["status", "本番"], ["status"], ["token", "本番"], ["keys"], ["--help"]]
FULL = "/dev/full"


@pytest.fixture
def machine(tmp_path, monkeypatch, unattended):
    """A home with profiles whose names have letters of many alphabets."""
    (tmp_path / "cfg").write_text(PROFILES, encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LAKEKEY_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("LAKEKEY_KEY_SOURCE", "file")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "cfg"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")


def run(*arguments, encoding=None, **redirections):
    environment = {**os.environ, **({"PYTHONIOENCODING": encoding} if encoding else {})}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **redirections}
    return subprocess.run([LAKEKEY, *arguments], env=environment, timeout=60, check=False, **streams)


def shell(redirection, *arguments):
    """Runs it with a redirection that only a shell can make."""
    script = f'exec "$@" {redirection}'
    return subprocess.run(["sh", "-c", script, "sh", LAKEKEY, *arguments], capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp932", "latin-1"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_encoding_without_our_characters_changes_no_exit_status(machine, encoding, command):
    usual, done = run(*command), run(*command, encoding=encoding)
    assert done.returncode == usual.returncode
    assert b"Traceback" not in done.stderr
    done.stdout.decode(encoding)
    assert bool(done.stdout) == bool(usual.stdout)


def test_arrow_is_written_in_ascii_and_a_letter_is_escaped(machine):
    assert b"        -> " in run("doctor", "bad", encoding="ascii").stdout
    assert rb"\u672c\u756a" in run("profiles", encoding="ascii").stdout
    assert "café".encode("cp1252") in run("profiles", encoding="cp1252").stdout


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_json_is_valid_and_whole_in_every_encoding(machine, encoding):
    names = [each["profile"] for each in json.loads(run("profiles", "--json", encoding=encoding).stdout)["profiles"]]
    assert names == ["本番", "café", "smile😀", "bad"]


@pytest.mark.parametrize("command", [["status"], ["status", "--json"], ["profiles"], ["--help"], ["--version"]])
def test_full_output_is_one_error_with_status_1(machine, command):
    with open(FULL, "wb") as full:
        done = run(*command, stdout=full)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == [
        "lakekey: standard output cannot be written to: No space left on device",
        "  → redirect it to a file on a disk with free space",
    ]


@pytest.mark.parametrize("command", [["status"], ["profiles", "--json"], ["--version"]])
def test_closed_output_is_one_error_with_status_1(machine, command):
    done = shell(">&-", *command)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines()[0] == "lakekey: standard output is closed"
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("redirection", ["2>&-", f"2>{FULL}"])
@pytest.mark.parametrize(
    ("command", "status"), [(["profiles"], 0), (["token", "missing"], 2), (["token", "本番"], 3), (["nonsense"], 2)]
)
def test_error_stream_that_takes_nothing_changes_no_exit_status(machine, redirection, command, status):
    done = shell(redirection, *command)
    assert (done.returncode, bool(done.stdout)) == (status, status == 0)


def test_file_opened_after_a_closed_stream_does_not_take_its_place(machine, tmp_path):
    """With standard error closed, the next file to be opened would be number 2, and get what is printed there."""
    done = shell("0<&- 2>&-", "status")
    assert done.returncode == 0
    assert run("status").stdout == done.stdout


def test_closed_input_is_an_end_and_no_traceback(machine):
    done = shell("0<&-", "secret", "set", "bad")
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("columns", ["0", "1", "10", "40", "100000"])
@pytest.mark.parametrize("command", [["--help"], ["login", "--help"], ["status"], ["profiles"], ["doctor", "bad"]])
def test_any_width_of_the_terminal_can_be_printed_to(machine, monkeypatch, columns, command):
    monkeypatch.setenv("COLUMNS", columns)
    done = run(*command)
    assert done.returncode == (1 if command[0] == "doctor" else 0)
    assert done.stdout
    assert not done.stderr
