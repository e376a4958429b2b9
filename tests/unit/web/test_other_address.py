"""Under which name a browser has come to a portal on its own machine."""

import pytest

from lakekey.web.other_address import other_address


@pytest.mark.parametrize(
    ("url", "host", "found"),
    [
        ("http://localhost:8000/lakekey", "127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://localhost:8000/lakekey", "[::1]:8000", "http://[::1]:8000"),
        ("http://127.0.0.1:8000", "localhost:8000", "http://localhost:8000"),
        ("http://127.0.0.1", "localhost", "http://localhost"),
        ("https://localhost", "127.0.0.1:443", "https://127.0.0.1:443"),
    ],
)
def test_other_name_of_this_machine_at_the_same_port_is_another_address(url, host, found):
    assert other_address(url, host) == found


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://localhost:8000/lakekey", "localhost:8000"),
        ("http://localhost:8000", "LOCALHOST:8000"),
        ("http://localhost:80", "localhost"),
        ("https://localhost:8443", "127.0.0.1:8030"),  # what a proxy on this machine may send
        ("https://app.example.com", "127.0.0.1"),
        ("http://localhost", "app.example.com"),
        ("http://localhost:8000", "127.0.0.1:x"),
        ("http://localhost:8000", "[127.0.0.1:8000"),
        ("http://localhost:8000", ""),
    ],
)
def test_same_address_and_one_that_may_be_a_proxys_are_not(url, host):
    assert other_address(url, host) is None
