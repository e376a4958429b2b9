"""Input that no person means: bytes that are not text, names that look like options, an end where an answer is due."""

import os
import shlex
import subprocess

import pytest

from support.processes import LAKEKEY
from support.processes import lakekey as run
from support.terminal import Terminal

PROFILES = "[--json]\nhost = https://127.0.0.1:1\n[nightly]\nhost = https://127.0.0.1:1\nclient_id = 8e5ac1e2\n"

# An account of this system whose home is a test's. The home of the account that runs the tests is not looked at.
ACCOUNT = """
import pwd
entry = pwd.struct_passwd(("ada", "x", 1000, 1000, "", {home!r}, "/bin/sh"))
pwd.getpwuid = lambda _: entry
"""


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch, unattended):
    """A home with two profiles of a host that is away."""
    file = tmp_path / "cfg"
    file.write_text(PROFILES)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(file))
    monkeypatch.setenv("LAKEKEY_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("LAKEKEY_KEY_SOURCE", "file")


@pytest.mark.parametrize("encoding", ["utf-8:strict", "utf-8:surrogateescape", "ascii:strict"])
@pytest.mark.parametrize(
    "command", ["secret set nightly", "api post /x -p nightly --data -", "apps add a --client-id x --portal x --secret"]
)
def test_input_that_is_not_text_is_refused_and_not_shown(encoding, command):
    done = subprocess.run(
        [LAKEKEY, *command.split()],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        input=b'"dose0123\xff"\n',
        capture_output=True,
        timeout=60,
        check=False,
    )
    first, *_ = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout) == (2, b"")
    assert first.endswith(f"standard input is not text in {encoding.partition(':')[0]}")
    assert b"dose" not in done.stderr


@pytest.mark.parametrize(("typed", "said"), [("\x04", "no secret was typed"), ("a\x1bb\n", "a control character")])
def test_what_is_not_a_secret_is_refused_at_the_terminal(typed, said):
    environment = {**os.environ, "LAKEKEY_INTERACTIVE": "auto"}
    with Terminal("secret", "set", "nightly", environment=environment) as terminal:
        terminal.shows("Client secret of 8e5ac1e2 at https://127.0.0.1:1: ")
        terminal.presses(typed)
        assert terminal.ends() == 2
        assert said in terminal.screen
        assert "Traceback" not in terminal.screen


def test_ctrl_c_at_a_secret_shows_none_of_it_and_leaves_the_terminal_as_it_was():
    environment = {**os.environ, "LAKEKEY_INTERACTIVE": "auto"}
    with Terminal("secret", "set", "nightly", environment=environment) as terminal:
        terminal.shows("Client secret of 8e5ac1e2 at https://127.0.0.1:1: ")
        assert not terminal.echoes()
        terminal.presses("half of it\x03")
        assert terminal.ends() == 130
        assert terminal.echoes()
        assert "half" not in terminal.screen
        assert terminal.screen.endswith("lakekey: interrupted\n")


def test_profile_that_looks_like_an_option_is_named_so_that_the_next_step_runs():
    first = run("status", "--profile=--json")
    assert (first.returncode, first.stderr) == (3, "")
    step = first.stdout.splitlines()[-1]
    assert step == "Sign in with: lakekey login --profile=--json"
    again = run(*shlex.split(step.partition("lakekey ")[2]), "--check")
    assert (again.returncode, again.stderr.splitlines()[0]) == (
        3, "lakekey: --json: not signed in, and this run cannot prompt for a sign-in",
    )  # fmt: skip


def test_error_for_an_sdk_has_no_control_characters():
    done = run("auth", "token", "-p", "evil\x1b[2J\u202e")
    assert done.returncode == 1
    assert done.stderr.startswith(r"Error: evil\x1b[2J\u202e: ")


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("keys", 0, "the current directory is gone, below which cache is; tokens are kept in the memory"),
        ("profiles add new --host https://127.0.0.1:1", 1, "lakekey: the current directory is gone, and a relative"),
        ("demo --no-browser", 1, "lakekey: the current directory is gone, and a relative"),
    ],
)
def test_relative_path_from_a_directory_that_is_gone_is_not_a_traceback(tmp_path, monkeypatch, command, status, said):
    monkeypatch.setenv("LAKEKEY_CACHE_DIR", "cache")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", "cfg")
    script = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    done = subprocess.run(
        ["sh", "-c", script, "sh", LAKEKEY, *command.split()],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["status", "login new --host https://127.0.0.1:1", "logout --all"])
def test_cache_directory_of_an_endless_name_is_one_error_and_no_warning_before_it(tmp_path, monkeypatch, command):
    monkeypatch.setenv("LAKEKEY_CACHE_DIR", str(tmp_path / ("a" * 4000)))
    done = run(*command.split())
    said, step = done.stderr.splitlines()
    assert (done.returncode, done.stdout, step) == (2, "", "  → set LAKEKEY_CACHE_DIR to a shorter one")
    assert "the name of the cache directory is too long" in said
    assert len(said) < 200


def test_status_of_a_cache_in_memory_says_so_in_a_sentence(monkeypatch):
    monkeypatch.setenv("LAKEKEY_STORE", "memory:")
    assert run("status").stdout.endswith("\nKept in the memory of this process only: nothing is written.\n")
    assert "kept in  the memory of this process only\n" in run("status", "nightly").stdout


def test_without_a_home_variable_the_accounts_home_is_looked_at_and_left_alone(tmp_path, monkeypatch):
    for name in ("HOME", "DATABRICKS_CONFIG_FILE", "LAKEKEY_CACHE_DIR", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    home, startup = tmp_path / "home", tmp_path / "startup"
    for directory in (home, startup):
        directory.mkdir()
    (home / ".databrickscfg").write_text("[of the account]\nhost = https://127.0.0.1:1\n")
    (startup / "sitecustomize.py").write_text(ACCOUNT.format(home=str(home)))
    monkeypatch.setenv("PYTHONPATH", str(startup))
    assert "of the account" in run("profiles").stdout
    assert f" {home}/.local/state/lakekey" in run("status").stdout
    assert os.listdir(home) == [".databrickscfg"]
