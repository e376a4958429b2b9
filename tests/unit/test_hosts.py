"""Slips in a host are refused, and never become another machine's name; copied addresses are understood."""

import pytest

from lakekey import ConfigurationError
from lakekey._hosts import (
    _plainly_written,
    account_of,
    cloud_of,
    in_address,
    is_account_console,
    is_workspace_id,
    normalize_host,
    routed_path,
    routing_headers,
    workspace_of,
)

NAME = "dbc-1.cloud.databricks.com"
CONSOLE = "accounts.cloud.databricks.com"


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
        "None",
        "https://none/",
        "null",
        "https://-.",
    ],
)
def test_slip_in_the_scheme_never_becomes_a_host(address):
    with pytest.raises(ConfigurationError) as caught:
        normalize_host(address, "prod", "profile")
    assert caught.value.hint == "write it as https://dbc-1234.cloud.databricks.com"


@pytest.mark.parametrize(
    "name", ["acme.databricks.com", "data.acme.example", "none.example", "host_1.internal", "localhost"]
)
def test_vanity_name_is_a_host(name):
    assert normalize_host(f"https://{name}/?o=1") == f"https://{name}"


def test_name_in_another_script_is_shown_escaped():
    with pytest.raises(ConfigurationError, match=r"dbc-1\.cloud\.databri\\u0441ks\.com"):
        normalize_host("https://dbc-1.cloud.databri\u0441ks.com")


@pytest.mark.parametrize(("text", "is_one"), [("12", True), ("a-1", True), ("-1", False), ("", False), ("a b", False)])
def test_workspace_id_begins_with_a_letter_or_a_digit(text, is_one):
    assert is_workspace_id(text) is is_one


@pytest.mark.parametrize(
    ("address", "workspace"),
    [
        (f"https://{NAME}/?o=123", "123"),
        (f"{NAME}/sql/warehouses?o=123#frag", "123"),
        (f"https://{NAME}/?w=123", "123"),
        (f"https://{NAME}/?x=1&w=123", "123"),
        (f"https://{NAME}/?o=&w=123", "123"),
        (f"https://{NAME}/?o=none", None),
        (f"https://{NAME}/?o=None&w=7", "7"),
        (f"https://{NAME}/?o=abc-1_b", "abc-1_b"),
        (f"https://{NAME}/?o=%20123%20", "123"),
        (f"https://{NAME}/?o=%20&w=123", "123"),
        (f"https://{NAME}/?o=-1", None),
        (f"https://{NAME}/?o=1%0d%0aX: y", None),
        (f"https://{NAME}/", None),
        ("https://[?o=1", None),
        (f"https://{NAME}/?" + "a=1&" * 1500 + "o=1", None),
    ],
)
def test_workspace_of_a_copied_address(address, workspace):
    assert workspace_of(address) == workspace


@pytest.mark.parametrize(
    ("address", "account"),
    [
        (f"https://{CONSOLE}/?o=1&account_id=a-1b2", "a-1b2"),
        (f"{CONSOLE}/login?account_id=a-1b2#frag", "a-1b2"),
        (f" https://{CONSOLE.upper()}:443/?account_id=a-1b2", "a-1b2"),
        (f"https://{CONSOLE}/?account_id=", None),
        (f"https://{CONSOLE}/?account_id=a%0d%0aX: y", None),
        (f"https://{CONSOLE}/?next=%3Faccount_id%3Da-1b2", None),
        (f"https://{CONSOLE}/", None),
        (f"ftp://{CONSOLE}/?account_id=a-1b2", None),
        ("https://[?account_id=a", None),
        (f"https://{NAME}/?o=1&account_id=a-1b2", None),
        (f"https://{NAME}/{CONSOLE}?account_id=a-1b2", None),
    ],
)
def test_account_of_a_copied_address_of_a_console_alone(address, account):
    assert account_of(address) == account


@pytest.mark.parametrize(
    ("address", "host"),
    [
        (NAME, f"https://{NAME}"),
        (f"https://{NAME}:443/", f"https://{NAME}"),
        (f" HTTPS://{NAME.upper()}/path?o=1#x ", f"https://{NAME}"),
        (f"{NAME}:8443", f"https://{NAME}:8443"),
        (f"{NAME}:08443", f"https://{NAME}:8443"),
        (f"{NAME}:65535", f"https://{NAME}:65535"),
        (f"{NAME}.", f"https://{NAME}."),
        ("host_1.example:443", "https://host_1.example"),
        ("http://localhost:8020/", "http://localhost:8020"),
        ("http://127.0.0.1:443", "http://127.0.0.1"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("[2001:DB8::1]", "https://[2001:db8::1]"),
        (f"{'a' * 63}.example", f"https://{'a' * 63}.example"),
    ],
)
def test_host_has_one_form_however_it_is_written(address, host):
    assert normalize_host(address) == host
    assert normalize_host(host) == host


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (None, "host (profile) is not an address"),
        ("", "host (profile) is not an address"),
        (7, "host (profile) is not an address"),
        ("https://", "host (profile) is not an address"),
        (f"https://ada@{NAME}", "host (profile) holds a user name or password"),
        (f"https://:dose-of-ada@{NAME}", "host (profile) holds a user name or password"),
        (f"http://{NAME}", f"host (profile) is http://{NAME}, which would send credentials in clear"),
        ("ftp://localhost", "host (profile) is ftp://localhost, which would send credentials in clear"),
        (f"{NAME}:0", "host (profile) is not an address"),
        (f"https://{NAME}/?o=-1", "host (profile) names a workspace by ?o= or ?w= whose id it cannot be"),
        (f"{NAME}?w=1%262", "host (profile) names a workspace by ?o= or ?w= whose id it cannot be"),
        (f"{NAME}?o=\u0661", "host (profile) names a workspace by ?o= or ?w= whose id it cannot be"),
        (f"{NAME}:65536", "host (profile) is not an address"),
        (f"{NAME}:{'1' * 5000}", "host (profile) is not an address"),
        (f"{NAME}:443:443", "host (profile) is not an address"),
        (f"{NAME}:8443:443", "host (profile) is not an address"),
        (f"{NAME}:8443:443/", "host (profile) is not an address"),
        (f"{NAME}:x", "host (profile) is not an address"),
        (f"{NAME}:\u0661", "host (profile) is not an address"),
        ("[::1", "host (profile) is not an address"),
        (f"{'a' * 64}.example", "host (profile) is not an address"),
        ("dbc..example", "host (profile) is not an address"),
        (f"https://{NAME}/a\x00b", "host (profile) is not an address"),
    ],
)
def test_what_credentials_must_not_be_sent_to_is_refused_with_its_source(address, said):
    with pytest.raises(ConfigurationError) as caught:
        normalize_host(address, "prod", "profile")
    assert caught.value.message == said
    assert caught.value.profile == "prod"
    with pytest.raises(ConfigurationError, match=r"^host (is|holds|names)"):
        normalize_host(address)


@pytest.mark.parametrize(
    ("path", "workspace", "routed"),
    [
        ("/sql/1.0/warehouses/a", "12", "/sql/1.0/warehouses/a?o=12"),
        ("/sql/1.0/warehouses/a?x=1", "12", "/sql/1.0/warehouses/a?x=1&o=12"),
        ("/sql/1.0/warehouses/a?o=7", "12", "/sql/1.0/warehouses/a?o=7"),
        ("/sql/1.0/warehouses/a?x=1&o=7", "12", "/sql/1.0/warehouses/a?x=1&o=7"),
        ("/sql/1.0/warehouses/a", None, "/sql/1.0/warehouses/a"),
        ("/sql/protocolv1/o/7/cluster", "12", "/sql/protocolv1/o/7/cluster"),
        ("sql/protocolv1/o/7/cluster", "12", "sql/protocolv1/o/7/cluster"),
    ],
)
def test_path_names_the_workspace_once(path, workspace, routed):
    assert routed_path(path, workspace) == routed


def test_headers_name_a_workspace_that_is_known():
    assert routing_headers("12") == {"X-Databricks-Org-Id": "12", "X-Databricks-Workspace-Id": "12"}
    assert routing_headers(None) == {}


@pytest.mark.parametrize(
    ("host", "console", "cloud"),
    [
        ("https://accounts.cloud.databricks.com", True, "AWS"),
        ("https://accounts-dod.cloud.databricks.us", True, "AWS"),
        ("https://accounts.gcp.databricks.com", True, "GCP"),
        ("https://adb-1.2.azuredatabricks.net", False, "Azure"),
        ("https://accountsx.cloud.databricks.com", False, "AWS"),
        ("https://my.accounts.example", False, None),
        ("https://cloud.databricks.com.example", False, None),
        ("https://:0", False, None),
    ],
)
def test_account_console_and_cloud_are_told_by_the_name(host, console, cloud):
    assert is_account_console(host) is console
    assert cloud_of(host) == cloud


def test_name_with_colons_stands_in_brackets_in_an_address():
    assert in_address("::1") == "[::1]"
    assert in_address(NAME) == NAME


def test_host_as_most_write_it_is_read_without_the_library_that_takes_addresses_apart():
    for address in (NAME, f"https://{NAME}", f"https://{NAME}/", f"https://{NAME}:443/"):
        assert _plainly_written(address) == f"https://{NAME}"
    assert _plainly_written(f"https://{NAME}:8443/") == f"https://{NAME}:8443"
    assert _plainly_written(f"https://{NAME}/path") is None
