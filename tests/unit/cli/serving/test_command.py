import sys

from lakekey.cli import main


def test_windows_has_no_systemd_to_write_a_unit_for(monkeypatch, capsys):
    monkeypatch.setattr(sys, "platform", "win32")
    assert main(["serve", "--print-unit"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "there is no systemd on Windows" in said.err
    assert "schtasks /create /sc onlogon" in said.err
