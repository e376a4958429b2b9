"""Completion of commands, options and profiles, as the shells ask for it."""

import json
import os
import subprocess

import pytest

from support.processes import LAKEKEY
from support.processes import lakekey as run


@pytest.fixture(autouse=True)
def profiles(tmp_path, monkeypatch):
    file = tmp_path / "cfg"
    file.write_text("[prod]\nhost = https://a.cloud.databricks.com\n[my work]\nhost = https://b.cloud.databricks.com\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(file))
    monkeypatch.setenv("LAKEKEY_CACHE_DIR", str(tmp_path / "cache"))
    return file


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["log"], ["login", "logout"]),
        (["login", "pr"], ["prod"]),
        (["status", "-p", ""], ["prod", "my work"]),
        (["-p", "prod", "tok"], ["token"]),
        (["login", "--no-b"], ["--no-browser"]),
        (["profiles", "re"], ["remove", "rename"]),
        (["profiles", "remove", "m"], ["my work"]),
        (["keys", "r"], ["rotate"]),
        (["completion", "z"], ["zsh"]),
        (["help", "doc"], ["doctor"]),
        (["nonsense", ""], []),
        (["logout", "prod", "--client"], []),
    ],
)
def test_last_word_is_completed(words, expected):
    done = run("complete", *words)
    assert (done.returncode, done.stdout.splitlines()) == (0, expected)


def test_completing_makes_no_cache(tmp_path):
    run("complete", "login", "")
    assert not (tmp_path / "cache").exists()


def test_file_that_cannot_be_read_completes_commands_all_the_same(profiles):
    profiles.write_text("nonsense")
    assert run("complete", "login", "").returncode == 0
    assert run("complete", "stat").stdout == "status\n"


def test_bash_completes_with_the_script():
    script = f"""
        PATH={os.path.dirname(LAKEKEY)}:$PATH
        eval "$(lakekey completion bash)"
        COMP_WORDS=(lakekey login "$1"); COMP_CWORD=2; _lakekey
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script, "bash", "m"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "my work\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_script_of_each_shell_asks_the_program(shell):
    assert "lakekey complete " in run("completion", shell).stdout
    assert json.loads(run("completion", shell, "--json").stdout)["shell"] == shell


def test_other_shells_are_a_usage_error():
    assert run("completion", "tcsh").returncode == 2
