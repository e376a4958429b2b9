import sys

import pytest

from lakekey import _commands
from lakekey.cli.lend import _assignment, usual_shell


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
