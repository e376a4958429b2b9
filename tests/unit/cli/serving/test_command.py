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


@pytest.mark.parametrize(
    ("file", "address"), [(None, "'http://127.0.0.1:1'"), (r"C:\Ada\url", r"Get-Content 'C:\Ada\url'")]
)
def test_programs_of_windows_are_told_the_address_in_powershell(monkeypatch, capsys, file, address):
    monkeypatch.setattr(sys, "platform", "win32")
    command._say(["h"], "http://127.0.0.1:1", argparse.Namespace(json=False, url_file=file))
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "  $env:DATABRICKS_AUTH_TYPE = 'metadata-service'",
        f"  $env:DATABRICKS_METADATA_SERVICE_URL = {address}",
    ]


def test_path_with_a_typographic_quote_stays_one_text_of_powershell(monkeypatch, capsys):
    monkeypatch.setattr(sys, "platform", "win32")
    file = "C:\\Ada\u2019s\\url"
    command._say(["h"], "http://127.0.0.1:1", argparse.Namespace(json=False, url_file=file))
    assert "Get-Content 'C:\\Ada\u2019\u2019s\\url'\n" in capsys.readouterr().out
