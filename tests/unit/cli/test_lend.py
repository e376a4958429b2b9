import argparse
import json
import sys
from types import SimpleNamespace

import pytest

from lakekey import _commands
from lakekey.cli import lend
from lakekey.cli.lend import _assignment, usual_shell
from lakekey.configuration.target import resolve


@pytest.mark.parametrize(
    ("platform", "environ", "shell"),
    [
        ("linux", {}, "sh"),
        ("darwin", {}, "sh"),
        ("win32", {}, "powershell"),
        ("win32", {"MSYSTEM": "MINGW64"}, "sh"),  # Git's shell
    ],
)
def test_variables_are_written_for_the_systems_own_shell(monkeypatch, platform, environ, shell):
    monkeypatch.setattr(sys, "platform", platform)
    assert usual_shell(environ) == shell


@pytest.mark.parametrize("mark", ["'", "\u2018", "\u2019", "\u201a", "\u201b"])
def test_none_of_the_five_quotes_of_powershell_ends_the_text(mark):
    assert _commands.in_powershell(f"a{mark}; b") == f"'a{mark}{mark}; b'"
    assert _assignment("NAME", f"a{mark}; b", "powershell") == f"$env:NAME = 'a{mark}{mark}; b'"


@pytest.fixture
def lent(monkeypatch, capsys):
    """Lends a session at these settings, by a command of lakekey; returns the variables of the tool that gets it."""
    token = SimpleNamespace(access_token="dose-of-lending")
    monkeypatch.setattr(lend, "_ready", lambda _: SimpleNamespace(token=lambda: token))
    started = []
    monkeypatch.setattr(lend, "_run", lambda _, environ: started.append(environ))

    def lent(command, **settings):
        target = resolve(environ={}, client_id="sp", client_secret="dose-of-principal", **settings)
        monkeypatch.setattr(lend, "target_for_others", lambda _: target)
        command(argparse.Namespace(profile="job", token=True, json=True, shell=None, words=["tool"]))
        found = started[-1] if started else json.loads(capsys.readouterr().out)
        return {name: found.get(f"DATABRICKS_{name}") for name in ("HOST", "ACCOUNT_ID", "WORKSPACE_ID")}

    return lent


@pytest.mark.parametrize("command", [lend.run, lend.env])
def test_session_is_lent_with_its_workspace_and_account(monkeypatch, lent, command):
    monkeypatch.setenv("DATABRICKS_WORKSPACE_ID", "999")
    monkeypatch.setenv("DATABRICKS_ACCOUNT_ID", "another")
    host = "https://spog.example.com"
    assert lent(command, host=f"{host}/?o=123", account_id="acc-9") == {
        "HOST": host, "ACCOUNT_ID": "acc-9", "WORKSPACE_ID": "123",
    }  # fmt: skip
    assert lent(command, host=host) == {"HOST": host, "ACCOUNT_ID": None, "WORKSPACE_ID": None}
