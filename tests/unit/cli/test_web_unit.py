"""The unit file of ``lakekey web``."""

import pytest

from lakekey.cli.web_unit import home_of, unit


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
