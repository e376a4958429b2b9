import argparse
import sys

import pytest

from lakekey.cli import main
from lakekey.cli.serving import command


@pytest.mark.parametrize(
    ("command", "when"), [(("serve",), "onlogon"), (("keep-alive",), "hourly"), (("web", "prod"), "onstart")]
)
def test_windows_has_no_systemd_to_write_a_unit_for(monkeypatch, capsys, command, when):
    monkeypatch.setattr(sys, "platform", "win32")
    assert main([*command, "--print-unit"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "systemd units do not work on Windows" in said.err
    assert f"schtasks /create /sc {when}" in said.err


def test_path_with_a_typographic_quote_stays_one_text_of_powershell(monkeypatch, capsys):
    monkeypatch.setattr(sys, "platform", "win32")
    file = "C:\\Ada\u2019s\\url"
    command._say(["h"], "http://127.0.0.1:1", argparse.Namespace(json=False, url_file=file))
    assert "Get-Content 'C:\\Ada\u2019\u2019s\\url'\n" in capsys.readouterr().out
