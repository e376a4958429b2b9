import sys

import pytest

from lakekey.cli.lend import usual_shell


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
