"""Addresses of a Redis store, taken apart."""

import pytest

from lakekey.cache.stores.redis_address import address_of
from lakekey.errors import ConfigurationError


def test_address_of_one_server_is_taken_apart():
    found = address_of("rediss://ada:p%40ss@db.example.com:6380/3?prefix=p&connect_timeout=4")
    assert found[:6] == ("db.example.com", 6380, 3, "ada", "p@ss", True)
    assert found.options == {"prefix": "p", "connect_timeout": "4"}
    assert found.sentinels == ()
    assert repr(found) == "Address(db.example.com:6380/3)"


def test_parts_that_are_missing_are_the_usual():
    assert address_of("redis://127.0.0.1")[:6] == ("127.0.0.1", 6379, 0, None, None, False)
    assert address_of("rediss://h/")[:6] == ("h", 6379, 0, None, None, True)
    assert address_of("redis://127.0.0.1").service == "mymaster"
    assert address_of("redis://:dose-of-salt@[::1]:7000")[:5] == ("::1", 7000, 0, None, "dose-of-salt")


def test_sentinels_are_several_and_have_a_port_of_their_own():
    found = address_of("rediss+sentinel://ada@a,b:2/1?service=s&sentinel_user=u")
    assert found.sentinels == (("a", 26379), ("b", 2))
    assert (found.host, found.port, found.database, found.service) == ("a", 26379, 1, "s")


@pytest.mark.parametrize(
    "address",
    [
        "redis://", "redis:///0", "redis://h:port", "redis://h/first", "redis+sentinel://a,,b",
        "rediss://ada:dose/of@h", "rediss://ada:dose?of@h", "rediss://ada:dose#of@h",
    ],
)  # fmt: skip
def test_address_that_cannot_be_read_is_refused_and_not_quoted(address):
    with pytest.raises(ConfigurationError, match="cannot be read") as caught:
        address_of(address)
    assert "dose" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("address", ["redis://h", "redis+sentinel://127.0.0.1,h"])
def test_nothing_is_sent_in_clear_to_another_host(address):
    with pytest.raises(ConfigurationError, match="in clear to another host"):
        address_of(address)
    assert address_of(address.replace("redis", "rediss", 1)).encrypted


@pytest.mark.parametrize(
    ("address", "named"),
    [("rediss://h?service=s", "service"), ("rediss+sentinel://h?b=1&a=2", "a"), ("rediss://h?ssl=no", "ssl")],
)
def test_parameter_that_is_not_taken_is_named(address, named):
    with pytest.raises(ConfigurationError, match=f"has the parameter '{named}'"):
        address_of(address)
    for parameter in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"):
        assert address_of(f"rediss://h?{parameter}=/f").options == {parameter: "/f"}
