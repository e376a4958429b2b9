"""Slips in a host are refused, and never become another machine's name; copied addresses are understood."""

import pytest

from lakekey import ConfigurationError
from lakekey._hosts import normalize_host, workspace_of

NAME = "dbc-1.cloud.databricks.com"


@pytest.mark.parametrize(
    "address",
    [
        f"https:/{NAME}",
        f"https//{NAME}",
        f"https://https://{NAME}",
        f"https://https//{NAME}",
        f"https:{NAME}",
        f"https:///{NAME}",
        f"https;//{NAME}",
        f"https.//{NAME}",
        f"https:\\\\{NAME}",
        f"http//{NAME}",
        f"http:/{NAME}",
        f"HTTPS//{NAME}",
        "https",
        "https://https",
        "https:443",
        f"https.{NAME}",
        f"jdbc:databricks://{NAME}:443/default",
        f"{NAME};transportMode=http",
        f"{NAME},{NAME}",
        f"<{NAME}>",
        "https://-.",
    ],
)
def test_slip_in_the_scheme_never_becomes_a_host(address):
    with pytest.raises(ConfigurationError) as caught:
        normalize_host(address, "prod", "profile")
    assert caught.value.hint == "write it as https://dbc-1234.cloud.databricks.com"


@pytest.mark.parametrize("name", ["acme.databricks.com", "data.acme.example", "host_1.internal", "localhost"])
def test_vanity_name_is_a_host(name):
    assert normalize_host(f"https://{name}/?o=1") == f"https://{name}"


def test_name_in_another_script_is_shown_escaped():
    with pytest.raises(ConfigurationError, match=r"dbc-1\.cloud\.databri\\u0441ks\.com"):
        normalize_host("https://dbc-1.cloud.databri\u0441ks.com")


@pytest.mark.parametrize(
    ("address", "workspace"),
    [
        (f"https://{NAME}/?o=123", "123"),
        (f"{NAME}/sql/warehouses?o=123#frag", "123"),
        (f"https://{NAME}/?w=123", "123"),
        (f"https://{NAME}/?x=1&w=123", "123"),
        (f"https://{NAME}/?o=&w=123", "123"),
        (f"https://{NAME}/?o=none", None),
        (f"https://{NAME}/?o=1%0d%0aX: y", None),
        (f"https://{NAME}/", None),
        ("https://[?o=1", None),
        (f"https://{NAME}/?" + "a=1&" * 100 + "o=1", None),
    ],
)
def test_workspace_of_a_copied_address(address, workspace):
    assert workspace_of(address) == workspace
