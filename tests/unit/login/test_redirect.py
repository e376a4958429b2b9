"""The redirect address of a target, and the ports in it."""

import pytest

from lakekey.configuration.target import resolve
from lakekey.errors import ConfigurationError
from lakekey.login.redirect import redirect_of


def target(**settings):
    return resolve(host="https://w.example.com", **settings)


@pytest.mark.parametrize(
    ("settings", "ports", "first"),
    [
        ({}, list(range(8020, 8041)), "http://localhost:8020"),
        ({"client_id": "databricks-sql-python"}, list(range(8020, 8025)), "http://localhost:8020"),
        ({"redirect_port": 9000}, [9000], "http://localhost:9000"),
        ({"redirect_ports": "9000-9002, 9010"}, [9000, 9001, 9002, 9010], "http://localhost:9000"),
        ({"redirect_ports": "any"}, [0], "http://localhost:8020"),
        ({"redirect_url": "http://127.0.0.1:9000/cb"}, [9000], "http://127.0.0.1:9000/cb"),
        ({"redirect_url": "http://[::1]:9000/cb"}, [9000], "http://[::1]:9000/cb"),
        ({"redirect_url": "http://localhost/cb"}, list(range(8020, 8041)), "http://localhost:8020/cb"),
        ({"redirect_url": "http://localhost:9000/cb", "redirect_port": 9001}, [9001], "http://localhost:9001/cb"),
        ({"redirect_url": "https://a.example.com/cb"}, [443], "https://a.example.com/cb"),
        ({"redirect_url": "https://a.example.com:8443/cb"}, [8443], "https://a.example.com:8443/cb"),
    ],
)
def test_the_registered_address_and_its_ports(settings, ports, first):
    found = redirect_of(target(**settings))
    assert (list(found.ports), found.address) == (ports, first)


def test_an_address_that_cannot_be_read_is_refused():
    with pytest.raises(ConfigurationError, match="redirect_url 'http://\\[::1' is not an address that a sign-in"):
        redirect_of(target(redirect_url="http://[::1"))


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:8020/?x=1",
        "http://localhost:8020/#x",
        "http:///cb",
        "ftp://localhost",
        "http://192.0.2.1:8020",
    ],
)
def test_address_that_no_answer_can_come_to_is_refused(address):
    with pytest.raises(ConfigurationError) as caught:
        redirect_of(target(redirect_url=address))
    assert caught.value.message == f"redirect_url {address!r} is not an address that a sign-in can come back to"
    assert caught.value.hint == "use http://localhost:PORT/…, as registered for the app"


def test_address_that_may_hold_a_password_is_not_shown():
    with pytest.raises(ConfigurationError) as caught:
        redirect_of(target(redirect_url="http://ada:dose-of-word@localhost:8020/"))
    assert caught.value.message == "redirect_url is not an address that a sign-in can come back to"


@pytest.mark.parametrize("ports", ["x", "0", "70000", "9-8", "1-60000", ","])
def test_ports_that_are_none_are_refused(ports):
    with pytest.raises(ConfigurationError, match=r"redirect_ports '.*' is not a list of ports") as caught:
        redirect_of(target(redirect_ports=ports))
    assert caught.value.hint == "use a list such as 8020-8024, or any"
