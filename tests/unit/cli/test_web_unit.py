"""The unit file of ``lakekey web``."""

import contextlib
import os
import sys

import pytest

from lakekey.cli import main
from lakekey.cli.web_unit import home_of, unit

PRINTS = ["web", "--url", "http://localhost:8030", "--single-user", "ada", "--print-unit"]


@pytest.fixture
def program(tmp_path, bare_machine, monkeypatch):
    """Where the command seems to be; beside it is the configuration."""
    tmp_path.chmod(0o700)
    (bare_machine / ".databrickscfg").write_text("[DEFAULT]\nhost = https://adb-1.azuredatabricks.net\n")
    path = tmp_path / "lakekey"
    path.write_text("")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(path), *PRINTS])
    return path


@pytest.mark.posix_owners
def test_unit_for_a_program_that_others_can_change_is_not_printed(program, capsys):
    assert main(PRINTS) == 0
    assert f'ExecStart="{program}"' in capsys.readouterr().out
    os.chmod(program, 0o777)
    assert main(PRINTS) == 1
    said = capsys.readouterr()
    assert (said.out, f"{program} can be changed by another user" in said.err) == ("", True)


@pytest.mark.posix_owners
@pytest.mark.parametrize(("mode", "status"), [(0o666, 1), (0o644, 0)])
def test_unit_is_not_written_to_a_file_that_others_can_change(program, capsys, mode, status):
    with open(program.with_suffix(".service"), "w") as file, contextlib.redirect_stdout(file):
        os.fchmod(file.fileno(), mode)
        assert main(PRINTS) == status
    assert bool(os.path.getsize(file.name)) == (status == 0)
    assert ("the file that the unit is written to" in capsys.readouterr().err) == (status == 1)


def test_words_of_the_command_reach_the_program_as_they_are():
    (line,) = [
        line for line in unit("/opt/bin/lakekey", ['a "b"', "50%", "$HOME", "c\\d"]).splitlines() if "Exec" in line
    ]
    assert line == 'ExecStart="/opt/bin/lakekey" "a \\"b\\"" "50%%" "$$HOME" "c\\\\d"'


@pytest.mark.parametrize(
    ("program", "home"),
    [
        ("/home/ada/bin/lakekey", "/home"),
        ("/root/lakekey", "/root"),
        ("/run/user/1000/lakekey", "/run/user"),
        ("/homes/lakekey", None),
        ("/opt/bin/lakekey", None),
    ],
)
def test_home_that_the_unit_does_not_see_is_named(program, home):
    assert home_of(program) == home


@pytest.mark.parametrize(
    "setting",
    [
        "UMask=0077",
        "LimitCORE=0",
        "CapabilityBoundingSet=",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "PrivateDevices=yes",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
    ],
)
def test_unit_takes_from_the_service_what_it_does_not_need(setting):
    assert setting in unit("/opt/bin/lakekey", []).splitlines()
