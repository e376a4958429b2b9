"""What a token endpoint answers, and what is made of it."""

import json

import pytest

from lakekey.errors import CredentialsRefused, TokenEndpointError
from lakekey.oauth.answer import Answer
from lakekey.oauth.token_response import InvalidGrant, parse

pytestmark = pytest.mark.every_input

GOOD = {"access_token": "a-token", "token_type": "Bearer", "expires_in": 3600}


def answer(fields, status=200, content_type="application/json", retry_after=None):
    body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return Answer(status, content_type, body, retry_after)


def refused(error, description=None, status=400):
    fields = {"error": error, **({"error_description": description} if description else {})}
    return answer(fields, status)


@pytest.mark.parametrize("error", ["invalid_client", "invalid_grant", "no such \x1b[31mcode the-secret"])
def test_what_a_server_says_reaches_no_terminal_as_it_is(error):
    with pytest.raises((CredentialsRefused, TokenEndpointError, InvalidGrant)) as caught:
        parse(refused(error, "\x1b[2Jgone \u202eright\r\nthe-secret"), hidden=("the-secret",))
    said = str(caught.value)
    assert said.isprintable()
    assert "the-secret" not in said
    assert "gone ?right??[redacted]" in said


def test_a_full_answer_is_read():
    got = parse(answer({**GOOD, "refresh_token": "r", "scope": "sql all-apis", "id_token": "a.b.c"}))
    assert (got.access_token, got.lifetime, got.refresh_token) == ("a-token", 3600.0, "r")
    assert (got.scopes, got.id_token) == (("all-apis", "sql"), "a.b.c")


def test_what_an_answer_leaves_out_is_none():
    got = parse(answer({"access_token": "a-token"}))
    assert (got.refresh_token, got.scopes, got.id_token, got.lifetime) == (None, None, None, 300.0)


@pytest.mark.parametrize(
    ("expires_in", "lifetime"),
    [
        (60, 60.0),
        ("60", 60.0),
        (0.5, 0.5),
        (0, 300.0),
        (1e12, 86400.0),
        (-1, 300.0),
        ("soon", 300.0),
        (None, 300.0),
        (True, 300.0),
        ([60], 300.0),
        ("NaN", 300.0),
        ("Infinity", 300.0),
    ],
)
def test_a_lifetime_is_a_number_of_seconds_or_the_shortest_there_is(expires_in, lifetime):
    assert parse(answer({**GOOD, "expires_in": expires_in})).lifetime == lifetime


@pytest.mark.parametrize("token", [None, "", 7, ["t"], "two words", "line\r\nX-Injected: 1", "naïve", "\x00"])
def test_access_token_that_is_not_one_is_rejected(token):
    with pytest.raises(TokenEndpointError, match="holds no bearer token"):
        parse(answer({**GOOD, "access_token": token}))


@pytest.mark.parametrize("kind", ["mac", "DPoP", "", 7, None])
def test_answer_with_another_token_type_is_rejected(kind):
    with pytest.raises(TokenEndpointError, match="holds no bearer token"):
        parse(answer({**GOOD, "token_type": kind}))


def test_the_token_type_is_compared_without_case():
    assert parse(answer({**GOOD, "token_type": "bearer"})).access_token == "a-token"


@pytest.mark.parametrize("token", ["", 7, {"t": 1}])
def test_a_refresh_token_that_is_none_keeps_the_old_one(token):
    assert parse(answer({**GOOD, "refresh_token": token})).refresh_token is None


@pytest.mark.parametrize(
    "strange",
    [
        answer(b"<html>sign in to the network</html>", content_type="text/html"),
        answer(b'{"access_token": "a-tok'),
        answer([GOOD]),
        answer(b""),
        answer(GOOD, status=302),
        answer({"error": "invalid_grant"}, status=500),
        answer({"error": "invalid_client"}, status=503),
        answer({"error": "invalid_grant"}, status=429),
        answer({"error": "invalid_grant"}, status=200),
        answer({"error": "invalid_grant"}, status=400, content_type="text/html"),
    ],
)
def test_nonsense_may_be_tried_again_and_never_ends_a_session(strange):
    with pytest.raises(TokenEndpointError) as caught:
        parse(strange)
    assert caught.value.status == strange.status
    assert caught.value.hint


@pytest.mark.parametrize("status", [200, 201, 206])
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "text/html", "text/javascript", ""])
def test_a_token_answer_is_one_under_any_media_type_and_any_2xx(status, content_type):
    got = parse(answer({**GOOD, "refresh_token": "next"}, status, content_type))
    assert (got.access_token, got.refresh_token, got.problem) == ("a-token", "next", "")


def test_an_error_beside_tokens_leaves_only_the_refresh_token_to_be_used():
    got = parse(answer({**GOOD, "refresh_token": "next", "error": "server_error"}))
    assert (got.access_token, got.refresh_token) == ("", "next")
    assert "server_error" in got.problem


def test_an_error_beside_an_access_token_is_an_error():
    with pytest.raises(TokenEndpointError):
        parse(answer({**GOOD, "error": "server_error"}))


def test_a_dead_refresh_token_is_reported_in_the_servers_words():
    with pytest.raises(InvalidGrant) as caught:
        parse(refused("invalid_grant", "Refresh token is invalid"))
    assert caught.value.description == "Refresh token is invalid"


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("error", ["invalid_client", "unauthorized_client", "invalid_scope", "access_denied"])
def test_a_refusal_is_not_to_be_tried_again(error, status):
    with pytest.raises(CredentialsRefused) as caught:
        parse(refused(error, "so it is", status))
    assert caught.value.error == error
    assert f"({error}: so it is)" in caught.value.message
    assert caught.value.hint


def test_the_platforms_throttle_is_not_a_refusal():
    with pytest.raises(TokenEndpointError, match="slow down"):
        parse(refused("invalid_request", "Temporarily throttled, too many requests"))


@pytest.mark.parametrize("error", ["temporarily_unavailable", "server_error", "slow_down", "something_new"])
def test_an_error_that_may_pass_is_transient(error):
    with pytest.raises(TokenEndpointError):
        parse(refused(error))


@pytest.mark.parametrize(("status", "later"), [(408, True), (425, True), (429, True), (400, False), (404, False)])
def test_only_what_a_server_refuses_for_now_is_asked_for_again(status, later):
    with pytest.raises(TokenEndpointError) as caught:
        parse(answer({}, status=status, content_type="text/html"))
    assert caught.value.retryable is later


def test_the_servers_wish_to_wait_is_handed_on():
    with pytest.raises(TokenEndpointError) as caught:
        parse(answer({}, status=429, retry_after=7.0))
    assert caught.value.retry_after == 7.0


def test_a_secret_that_the_server_echoes_is_cut_out():
    with pytest.raises(CredentialsRefused) as caught:
        parse(refused("invalid_client", "secret dose123 is wrong"), hidden=("dose123", None, ""))
    assert "secret [redacted] is wrong" in caught.value.message
    assert "dose123" not in str(caught.value)


@pytest.mark.parametrize("secret", ["dose-of-invalid_grant-1", "ab+/" * 5000])
def test_a_code_that_looks_like_a_secret_or_comes_beside_a_long_one_counts(secret):
    with pytest.raises(InvalidGrant) as caught:
        parse(refused("invalid_grant", f"{secret} is dead"), hidden=(secret,))
    assert secret[:8] not in caught.value.description
    with pytest.raises(CredentialsRefused, match="invalid_client: ") as refusal:
        parse(refused("invalid_client", f"{secret} is wrong", 401), hidden=(secret,))
    assert secret[:8] not in refusal.value.message
    with pytest.raises(TokenEndpointError, match="asks to slow down"):
        parse(refused("invalid_request", f"throttled: {secret}"), hidden=(secret,))
    with pytest.raises(TokenEndpointError, match=r"asks to slow down \(slow_down"):
        parse(refused("slow_down"), hidden=(secret,))


def test_a_long_description_is_cut():
    with pytest.raises(CredentialsRefused) as caught:
        parse(refused("invalid_client", "x" * 5000))
    assert len(caught.value.message) < 500


def test_the_repr_of_an_answer_shows_no_token():
    assert repr(parse(answer({**GOOD, "refresh_token": "r"}))) == "TokenResponse(lifetime=3600, refresh_token=yes)"


@pytest.mark.parametrize("scope", [None, "", 7, ["sql"]])
def test_scopes_that_are_not_text_are_not_reported(scope):
    assert parse(answer({**GOOD, "scope": scope})).scopes is None


@pytest.mark.parametrize(
    ("fields", "lifetime"),
    [
        ({"refresh_token_expires_in": 0.5}, 0.5),
        ({"refresh_token_expires_in": "60"}, 60.0),
        ({"refresh_expires_in": 60}, 60.0),
        ({"refresh_token_expires_in": 0, "refresh_expires_in": 60}, 60.0),
        ({"refresh_token_expires_in": -1}, None),
        ({"refresh_token_expires_in": True}, None),
        ({"refresh_token_expires_in": float("nan")}, None),
        ({"refresh_token_expires_in": float("inf")}, None),
        ({"refresh_token_expires_in": "soon"}, None),
        ({}, None),
    ],
)
def test_lifetime_of_a_refresh_token_is_a_positive_number_of_seconds(fields, lifetime):
    assert parse(answer({**GOOD, **fields})).refresh_lifetime == lifetime


def test_tokens_that_came_with_an_error_are_not_asked_for_again():
    with pytest.raises(TokenEndpointError, match="tokens and an error") as caught:
        parse(answer({**GOOD, "refresh_token": "next", "error": "server_error"})).checked()
    assert not caught.value.retryable


@pytest.mark.parametrize("seconds", ["1e300", "1e12"])
def test_a_session_that_never_ends_ends_within_the_calendar(seconds):
    body = f'{{"access_token": "t", "token_type": "Bearer", "refresh_token_expires_in": {seconds}}}'.encode()
    assert parse(Answer(200, "application/json", body, None)).refresh_lifetime == 10 * 366 * 86400
