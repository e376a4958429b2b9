"""What is made of a token endpoint's answer, byte for byte: the nonsense that no JSON library of a server would write."""

import json
import time
from email.utils import formatdate

import pytest

from lakekey import TokenEndpointError
from lakekey.oauth.answer import Answer, retry_after
from lakekey.oauth.token_response import parse

pytestmark = pytest.mark.every_input

DAY = 86400.0


def answer(body, status=200, content_type="application/json"):
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, content_type, text, None)


def lifetime(raw):
    return parse(answer(b'{"access_token":"t","token_type":"Bearer","expires_in":%s}' % raw)).lifetime


@pytest.mark.parametrize("raw", [b"null", b'"soon"', b"-1", b"0", b"true", b"[]", b"NaN", b"-Infinity", b'""'])
def test_a_lifetime_that_means_nothing_counts_as_the_shortest_that_the_platform_gives(raw):
    assert lifetime(raw) == 300.0


def test_a_lifetime_that_is_not_told_counts_as_the_shortest_too():
    assert parse(answer({"access_token": "t", "token_type": "Bearer"})).lifetime == 300.0


@pytest.mark.parametrize("raw", [b"1e12", b"999999999999", b'"86401"'])
def test_no_token_is_believed_to_live_longer_than_a_day(raw):
    assert lifetime(raw) == DAY


def test_a_number_beyond_all_measure_is_nonsense_and_no_crash():
    assert lifetime(b"1" + b"0" * 400) == 300.0


@pytest.mark.parametrize("raw", [b"3600", b"3600.0", b'"3600"'])
def test_numbers_and_numerals_are_taken_as_they_are(raw):
    assert lifetime(raw) == 3600.0


@pytest.mark.parametrize(
    "token", ["", "two words", "line\nbreak", "ret\rurn", "nul\0", "\x7f", "snow\u2603man", 7, None, ["t"]]
)
def test_access_token_that_could_not_stand_in_a_header_is_rejected(token):
    with pytest.raises(TokenEndpointError, match="no bearer token") as caught:
        parse(answer({"access_token": token, "token_type": "Bearer", "expires_in": 3600}))
    assert not caught.value.retryable


@pytest.mark.parametrize("odd", [b"caf\xff", rb"caf\udcff", rb"caf\ud83d", rb"caf\u0007"])
def test_scope_that_cannot_be_shown_or_sent_on_is_left_out(odd):
    body = b'{"access_token":"t","token_type":"Bearer","expires_in":3600,"scope":"sql %s all-apis"}' % odd
    assert parse(answer(body)).scopes == ("all-apis", "sql")


@pytest.mark.parametrize("field", ["error", "error_description"])
@pytest.mark.parametrize("odd", [b"caf\xff", rb"caf\udcff"])
def test_error_of_a_server_is_shown_without_what_cannot_be_encoded(field, odd):
    fields = {"error": b"odd", "error_description": b"why", field: odd}
    body = b'{"error":"%s","error_description":"%s"}' % (fields["error"], fields["error_description"])
    with pytest.raises(TokenEndpointError, match=r"caf\?") as caught:
        parse(answer(body, status=400))
    assert str(caught.value).encode()


@pytest.mark.parametrize("error", [None, ""])
def test_an_error_that_says_nothing_throws_no_token_away(error):
    response = parse(answer({"access_token": "t", "token_type": "Bearer", "refresh_token": "next", "error": error}))
    assert (response.access_token, response.refresh_token) == ("t", "next")


@pytest.mark.parametrize("token_type", ["mac", "", None, 7, "Bearer "])
def test_a_token_of_a_kind_that_we_cannot_use_leaves_its_refresh_token(token_type):
    response = parse(answer({"access_token": "t", "token_type": token_type, "refresh_token": "next"}))
    assert (response.access_token, response.refresh_token) == ("", "next")
    assert "no bearer token" in response.problem


@pytest.mark.parametrize("token", ["with a space", "tab\tand line\n", "snow\u2603man"])
def test_a_refresh_token_is_kept_whatever_it_is_made_of(token):
    assert parse(answer({"access_token": "t", "refresh_token": token})).refresh_token == token


@pytest.mark.parametrize("token", ["", "\ud800", 7, ["r"], None])
def test_a_refresh_token_that_cannot_be_sent_back_counts_as_not_given(token):
    assert parse(answer({"access_token": "t", "refresh_token": token})).refresh_token is None


@pytest.mark.parametrize(
    "body", [b"[" * 500_000, b'{"a":' * 100_000, b"\xff\xfe", b"[]", b'"t"', b"null", b"", b"1" * 5000]
)
def test_body_that_is_not_a_json_object_is_rejected(body):
    with pytest.raises(TokenEndpointError, match="HTTP 200 with application/json"):
        parse(answer(body))


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(200, True), (302, False), (404, False), (408, True), (425, True), (429, True), (500, True), (503, True)],
)
def test_a_page_is_asked_for_again_where_its_status_gives_hope(status, retryable):
    with pytest.raises(TokenEndpointError) as caught:
        parse(answer(b"<html>", status, "text/html"))
    assert (caught.value.status, caught.value.retryable) == (status, retryable)


def test_retry_after_is_read_as_seconds_and_as_a_date():
    assert retry_after("7") == 7.0
    assert retry_after("-7") == 0.0
    soon = retry_after(formatdate(time.time() + 60, usegmt=True))
    assert 50 < soon <= 60
    assert retry_after("Thu, 01 Jan 1970 00:00:00 GMT") == 0.0


@pytest.mark.parametrize("value", ["inf", "nan", "soon", "", None])
def test_a_retry_after_that_means_nothing_counts_as_not_sent(value):
    assert retry_after(value) is None
