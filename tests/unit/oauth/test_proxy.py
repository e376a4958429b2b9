"""The proxy that the environment names: told without its password, refused where it cannot be read."""

import os
from unittest import mock

import pytest
from requests.utils import get_environ_proxies

from lakekey.errors import ConfigurationError, TokenEndpointError
from lakekey.oauth.proxy import proxies_on_the_way, proxy_to
from lakekey.oauth.transport import Transport

URL = "https://one.cloud.databricks.com/oidc"
PASSWORD = "hunter2"


@pytest.fixture
def behind(monkeypatch):
    """Sets the proxy."""
    for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)

    def through(address):
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, address)

    return through


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("http://proxy.example:3128", "proxy.example:3128"),
        ("proxy.example:3128", "proxy.example:3128"),
        (f"http://me:{PASSWORD}@proxy.example", "proxy.example"),
        (f"http://me:{PASSWORD}%40%2F@proxy.example:1/", "proxy.example:1"),
        ("socks5h://[::1]:9", "::1:9"),
    ],
)
def test_it_is_told_without_its_password(behind, address, named):
    behind(address)
    assert proxy_to(URL) == named


@pytest.mark.linux_desktop  # the other systems have settings of their own
def test_the_library_is_asked_only_where_a_variable_names_a_proxy(monkeypatch):
    with mock.patch.dict(os.environ, {"HTTPS_PROXY": "http://proxy.example:3128"}, clear=True):
        assert proxies_on_the_way(URL) == {"https": "http://proxy.example:3128"}
        del os.environ["HTTPS_PROXY"]
        monkeypatch.setattr("requests.utils.get_environ_proxies", None)
        assert proxies_on_the_way(URL) == {}


def test_there_is_none_where_none_is_set_or_the_host_is_left_out(behind, monkeypatch):
    assert proxy_to(URL) is None
    behind("http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "cloud.databricks.com")
    assert proxy_to(URL) is None


@pytest.mark.parametrize(
    "address",
    [
        f"http://me:{PASSWORD}#x@proxy.example:1",
        f"http://me:{PASSWORD}/x@proxy.example:1",
        "http://me:7/hunter2@proxy.example:1",
        f"http://me:{PASSWORD}@proxy.example:port",
        f"http://me:{PASSWORD}@[::1",
        f"http://me:{PASSWORD}@",
        f"me:{PASSWORD}@proxy.example:1",
        f"me:{PASSWORD}://proxy.example",
        f"ftp://me:{PASSWORD}@proxy.example",
        f"http://me:{PASSWORD}@a..b:9",
        f"http://me:{PASSWORD}@{'a' * 70}.example:9",
    ],
)
def test_an_address_that_cannot_be_read_is_an_error_that_quotes_nothing_of_it(behind, address):
    behind(address)
    with pytest.raises(ConfigurationError, match=r"the proxy \(HTTPS_PROXY\) cannot be read") as caught:
        Transport().get(URL)
    assert PASSWORD not in str(caught.value)


def test_a_proxy_that_is_not_there_is_the_one_to_look_at(behind):
    behind("http://127.0.0.1:1")
    with pytest.raises(TokenEndpointError, match=r"the proxy on the way to one\.cloud.*Connection refused") as caught:
        Transport().get(URL)
    assert caught.value.hint == "check HTTPS_PROXY"


def test_a_name_that_reads_like_a_scheme_is_the_proxys_fault(behind):
    behind("proxy:3128")
    with pytest.raises(TokenEndpointError) as caught:
        Transport().get(URL)
    assert caught.value.hint == "check HTTPS_PROXY"


@pytest.mark.parametrize(
    "name", ["HTTPS_PROXY", "https_proxy", "Https_Proxy", "ALL_PROXY", "all_proxy", "A_PROXY_", ""]
)
def test_environment_is_read_as_the_library_reads_it(monkeypatch, name):
    for each in [each for each in os.environ if each.lower().endswith("_proxy")]:
        monkeypatch.delenv(each)
    if name:
        monkeypatch.setenv(name, "http://proxy.example:3128")
    assert proxies_on_the_way(URL) == get_environ_proxies(URL)


def test_what_goes_to_loopback_in_clear_goes_through_no_proxy(behind, monkeypatch):
    behind("http://proxy.example:3128")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:3128")
    assert proxies_on_the_way("http://127.0.0.1:1/token") == {}
    assert proxy_to("HTTP://localhost:1/token") is None
    assert proxy_to("https://127.0.0.1:1/token") == "proxy.example:3128"
