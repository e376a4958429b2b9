"""What went wrong on the way to a server is said in words, without what a library or a server quotes."""

import ssl
from http.client import IncompleteRead

import pytest
import requests

from lakekey.errors import TokenEndpointError
from lakekey.oauth.transport import Transport
from lakekey.oauth.transport_errors import explained
from support.servers.odd_server import OddServer


def caused_by(error, *, as_argument=False):
    """A library's error as requests nests it: the reason behind it, or among its arguments."""
    outer = requests.exceptions.SSLError(*([error] if as_argument else []))
    outer.__cause__ = None if as_argument else error
    return outer


@pytest.mark.parametrize(
    ("error", "problem", "retryable"),
    [
        (requests.exceptions.Timeout(), "h did not answer in time", True),
        (requests.exceptions.ProxyError(ConnectionResetError("gone")), "the proxy on the way to h failed: gone", True),
        (requests.exceptions.InvalidSchema(), "the proxy on the way to h: InvalidSchema", True),
        (caused_by(ssl.SSLEOFError(8, "cut off")), "TLS with h failed: cut off", True),
        (caused_by(ssl.SSLCertVerificationError(1, "unknown")), "TLS with h failed: unknown", False),
        (caused_by(ssl.SSLCertVerificationError(1, "bad"), as_argument=True), "TLS with h failed: bad", False),
        (ConnectionResetError("c" * 200), f"cannot reach h: {'c' * 120}", True),
        (OSError("odd\x1b"), "cannot reach h: odd?", True),
        (OSError(), "cannot reach h: OSError", True),
        (BrokenPipeError(), "cannot reach h: BrokenPipeError", True),
        (ValueError("a-salt"), "cannot reach h: ValueError", True),
        (IncompleteRead(b"{", 999), "the answer of h, or of a proxy, is incomplete", True),
    ],
)
def test_failure_says_what_it_was_and_whether_trying_again_may_help(error, problem, retryable):
    said, hint, again = explained(error, "h")
    assert (said, again) == (problem, retryable)
    assert hint


def test_proxy_on_the_way_is_named_where_it_may_be_what_is_silent():
    said, _, _ = explained(requests.exceptions.ConnectTimeout(), "h", "proxy.example.com:1080")
    assert said == "h did not answer in time through the proxy proxy.example.com:1080"


def test_errors_that_name_each_other_as_their_reason_are_explained():
    one, other = ConnectionResetError("one"), ConnectionResetError("other")
    one.__cause__, other.__cause__ = other, one
    assert explained(one, "h")[0] == "cannot reach h: other"


def test_reasons_that_go_round_in_a_circle_come_to_an_end():
    first, second, third = ValueError("one"), ValueError("two"), ConnectionError("three")
    first.__cause__, second.__cause__, third.__cause__ = second, third, second
    problem, _, _ = explained(first, "a-host")
    assert problem == "cannot reach a-host: three"


def test_error_that_the_program_was_handling_is_no_reason():
    error, before = ConnectionResetError("reset"), ValueError("dose-of-the-program")
    error.__context__ = before
    assert explained(error, "h", handled=before)[0] == "cannot reach h: reset"
    error.__context__ = ConnectionAbortedError("cut off")
    assert explained(error, "h", handled=before)[0] == "cannot reach h: cut off"


def test_error_that_the_program_is_handling_is_not_in_the_message():
    with OddServer(lambda connection: connection.close()) as server:
        try:
            int("dose-of-the-program")
        except ValueError:
            with pytest.raises(TokenEndpointError, match=r"^cannot reach ") as caught:
                Transport().post_form(f"{server.host}/token", {"grant_type": "refresh_token"})
    assert "dose" not in str(caught.value)
    assert "ValueError" not in str(caught.value)
