import pytest
from starlette.requests import Request

from lakekey.errors import ConfigurationError
from lakekey.web import User
from lakekey.web.user_header import UserHeader

PROXY = "10.0.0.7"


def request(*headers, peer=PROXY):
    raw = [(name.lower().encode(), value if isinstance(value, bytes) else value.encode()) for name, value in headers]
    return Request({"type": "http", "headers": raw, "client": (peer, 1234) if peer else None})


def header(peers=(PROXY,), **options):
    return UserHeader("X-User", peers, **options)


@pytest.mark.parametrize("peers", [[PROXY], PROXY, ["10.0.0.0/24"], ["192.0.2.1", "10.0.0.0/8"]])
def test_listed_peer_is_believed(peers):
    assert header(peers)(request(("X-User", "Ada@Example.com"))) == User("ada@example.com")


@pytest.mark.parametrize("peer", ["10.0.0.8", "::1", "not an address", None])
def test_any_other_peer_names_no_user(peer):
    assert header()(request(("X-User", "ada"), peer=peer)) is None


def test_peer_in_ipv6_clothes_is_the_same_peer():
    assert header()(request(("X-User", "ada"), peer=f"::ffff:{PROXY}")) == User("ada")


@pytest.mark.parametrize(
    "headers",
    [
        [], [("X-User", "")], [("X-User", " \t")], [("X-User", "ada"), ("X-User", "grace")], [("X-User", "ada,grace")],
        [("X-User", b"ad\xe4")], [("X-User", "a\xa0")],
    ],
)  # fmt: skip
def test_request_that_names_none_or_several_has_no_user(headers):
    assert header()(request(*headers)) is None


def test_user_has_an_id_where_one_is_asked_for_and_none_without():
    with_id = header(id_name="X-Id")
    assert with_id(request(("X-User", "ada"), ("X-Id", "17"))) == User("ada", "17")
    assert with_id(request(("X-User", "ada"))) is None
    assert with_id(request(("X-User", "ada"), ("X-Id", " "))) is None


def test_letters_beyond_ascii_come_in_utf_8():
    assert header()(request(("X-User", "zoë à"))) == User("zoë à")


@pytest.mark.parametrize(
    ("peers", "says"), [([], "no trusted peer is listed"), (["proxy.example"], "is not an address")]
)
def test_peers_that_cannot_be_told_are_an_error(peers, says):
    with pytest.raises(ConfigurationError, match=says):
        header(peers)


def test_operator_is_warned_that_the_proxy_must_remove_the_header(caplog):
    header()
    assert "the header X-User names the user: the proxy must remove it from what visitors send" in caplog.text
