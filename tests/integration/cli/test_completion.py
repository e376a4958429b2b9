"""Completion of commands, options and profiles, as the shells ask for it."""

import json
import os
import re
import shutil
import subprocess

import pytest

from support.processes import LAKEKEY
from support.processes import lakekey as run
from support.terminal import Terminal


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
        (["status", "-p", "="], ["prod", "my work"]),  # PowerShell's script, which cannot hand over an empty word
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


def test_name_that_would_command_the_terminal_is_not_offered(profiles):
    profiles.write_text("[evil\x1b[2J\u202e]\nhost = https://a\n[even]\nhost = https://b\n")
    assert run("complete", "login", "ev").stdout == "even\n"


def test_commands_are_completed_even_if_the_file_cannot_be_read(profiles):
    profiles.write_text("nonsense")
    assert run("complete", "login", "").returncode == 0
    assert run("complete", "stat").stdout == "status\n"


SHELLS = {
    "bash": (["--norc", "--noprofile", "-i"], "PS1='ready> '", 'eval "$(lakekey completion bash)"'),
    "zsh": (
        ["-f", "-i"],
        "PS1='ready> '; unsetopt zle_bracketed_paste; autoload -U compinit && compinit -u -D",
        'eval "$(lakekey completion zsh)"',
    ),
}


@pytest.fixture
def environment(tmp_path):
    path = os.pathsep.join([os.path.dirname(LAKEKEY), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "HOME": str(tmp_path), "TERM": "dumb", "ZDOTDIR": str(tmp_path)}


def needs(shell):
    if shutil.which(shell) is None and not os.environ.get("LAKEKEY_REQUIRE_ALL"):
        pytest.skip(f"{shell} is not here")


@pytest.mark.pseudo_terminal
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("typed", "becomes"),
    [
        ("lakekey logi", "lakekey login "),
        ("lakekey login pr", "lakekey login prod "),
        ("lakekey status -p m", r"lakekey status -p my\ work "),
        ("lakekey login prod --no-b", "lakekey login prod --no-browser "),
    ],
)
def test_tab_completes_in_the_shell_itself(environment, shell, typed, becomes):
    needs(shell)
    options, prompt, setup = SHELLS[shell]
    with Terminal(*options, environment=environment, columns=200, program=shell) as terminal:
        terminal.types(f"{prompt}; {setup}; echo be''gun")
        terminal.shows("begun.*ready> ")
        terminal.presses(f"{typed}\t")
        terminal.shows(re.escape(becomes))


def test_fish_completes_by_the_script(environment):
    needs("fish")

    def completed(line):
        script = f"lakekey completion fish | source; complete -C '{line}'"
        done = subprocess.run(
            ["fish", "--no-config", "-c", script],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout.splitlines()

    assert completed("lakekey logi") == ["login"]
    assert completed("lakekey login pr") == ["prod"]
    assert completed("lakekey status -p ") == ["my work", "prod"]
    assert completed("lakekey login prod --no-b") == ["--no-browser"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_script_of_each_shell_asks_the_program(shell):
    assert "lakekey complete " in run("completion", shell).stdout
    assert json.loads(run("completion", shell, "--json").stdout)["shell"] == shell


def test_other_shells_are_a_usage_error():
    assert run("completion", "tcsh").returncode == 2
