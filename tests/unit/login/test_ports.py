"""How a profile names ports."""

import pytest

from lakekey.login.ports import ANY_PORT, default_ports, is_built_in, ports_of


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("8030", [8030]),
        ("8020-8022, 8030", [8020, 8021, 8022, 8030]),
        (" 8020  8021 ", [8020, 8021]),
        (" Any ", [ANY_PORT]),
        ("1-1001", list(range(1, 1002))),
        ("65535", [65535]),
    ],
)
def test_ports_are_read_in_their_order(text, ports):
    assert ports_of(text) == ports


@pytest.mark.parametrize("text", ["", ",", "x", "0", "65536", "9-8", "1-1002", "8020, x", "-8020", "\u0668\u0660x"])
def test_text_with_anything_else_names_none(text):
    assert ports_of(text) == []


def test_built_in_clients_have_the_ports_that_the_platform_registered():
    assert is_built_in("databricks-cli") and is_built_in("databricks-sql-python") and not is_built_in("my-app")
    assert default_ports("databricks-cli") == default_ports("my-app") == range(8020, 8041)
    assert default_ports("databricks-sql-python") == range(8020, 8025)
