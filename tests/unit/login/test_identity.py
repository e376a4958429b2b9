"""Who is behind new tokens, as far as their claims can be believed."""

import base64
import json
import time

import pytest

from lakekey.configuration.target import person_key, resolve
from lakekey.errors import LoginFailed, WrongIdentity
from lakekey.login.identity import Identity, check_identity, identify
from lakekey.oauth.client import Client
from lakekey.oauth.discovery import Metadata
from lakekey.oauth.token_response import TokenResponse
from lakekey.oauth.transport import Transport

pytestmark = pytest.mark.every_input


def jwt(claims, signature="sig"):
    body = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return f"e30.{base64.urlsafe_b64encode(body).decode().rstrip('=')}.{signature}"


def who(server, claims):
    metadata = Metadata(server.url, f"{server.url}/authorize", f"{server.url}/token")
    client = Client("the-app", None, ("all-apis",), Transport(), lambda: metadata)
    return identify(client, server.url, TokenResponse(jwt(claims), 60.0, None, None, None))


def test_the_person_is_read_from_the_access_token(server):
    found = who(server, {"sub": "Ada@example.com", "group_id": "4711"})
    assert found == Identity("Ada@example.com", frozenset({"ada@example.com"}), "4711")


@pytest.mark.parametrize("claims", [b"[" * 100_000, b"\xff", b"7", {"sub": ["ada@example.com"]}, {"sub": "4711"}])
def test_claims_without_a_person_do_no_harm(server, claims):
    assert who(server, claims) == Identity(None)


def test_name_with_terminal_control_characters_is_not_taken(server):
    found = who(server, {"email": "\x1b[2Jada@example.com", "sub": "ada@example.com", "group_id": "47\x1b[1m"})
    assert found == Identity("ada@example.com", frozenset({"ada@example.com"}))


def asked(server, *, scopes=("all-apis", "openid"), **answers):
    """Who is behind opaque tokens, where the endpoints answer so."""
    for path, (body, options) in answers.items():
        server.answer(PATHS[path], body, **options)
    metadata = Metadata(
        server.url, f"{server.url}/authorize", f"{server.url}/token", userinfo_endpoint=f"{server.url}/userinfo"
    )
    client = Client("the-app", None, scopes, Transport(), lambda: metadata)
    return identify(client, server.url, TokenResponse("opaque", 60.0, None, None, None)).name


PATHS = {"userinfo": "/userinfo", "workspace": "/api/2.0/preview/scim/v2/Me"}
ADA = b'{"sub": "4711", "email": "ada@example.com", "userName": "ada"}'


@pytest.mark.parametrize(
    ("answers", "name"),
    [
        ({"userinfo": (ADA, {})}, "ada@example.com"),
        ({"userinfo": (b'{"sub": "4711"}', {})}, "4711"),
        ({"workspace": (b'{"userName": "ada"}', {})}, "ada"),
        ({"userinfo": (b'{"name": "Ada"}', {}), "workspace": (ADA, {})}, "ada@example.com"),
        ({"userinfo": (ADA, {"status": 403}), "workspace": (ADA, {"status": 500})}, None),
        ({"userinfo": (ADA, {"status": 201})}, None),
        ({"userinfo": (b"[]", {}), "workspace": (b"<html>", {})}, None),
    ],
)
def test_where_no_token_tells_the_servers_endpoints_are_asked(server, answers, name):
    assert asked(server, **answers) == name


def test_subject_of_an_id_token_is_a_person_and_that_of_an_access_token_may_be_anything(server):
    assert who(server, {"sub": "4711"}).name is None
    assert of_id_token(server, id_token(server, email=None, sub="4711")).name == "4711"


# The ID token (OpenID Connect Core §3.1.3.7): wrong in one point alone is wrong.


def id_token(server, **changed):
    claims = {"iss": server.url, "aud": "the-app", "exp": time.time() + 60, "nonce": "n", "email": "ada@example.com"}
    claims |= changed
    return {name: value for name, value in claims.items() if value is not None}


def of_id_token(server, claims, signature="sig"):
    metadata = Metadata(server.url, f"{server.url}/authorize", f"{server.url}/token")
    client = Client("the-app", None, ("all-apis",), Transport(), lambda: metadata)
    text = json.dumps(claims)  # which writes Infinity and NaN, as servers that use such libraries do
    response = TokenResponse("opaque", 60.0, None, None, jwt(text.encode(), signature))
    return identify(client, server.url, response, nonce="n")


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"aud": ["the-app"]},
        {"azp": "the-app"},
        {"aud": ["another", "the-app"], "azp": "the-app"},
        {"exp": 2**40},
    ],
)
def test_id_token_of_this_sign_in_is_believed(server, changed):
    assert of_id_token(server, id_token(server, **changed)).name == "ada@example.com"


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "another"},
        {"aud": None},
        {"aud": []},
        {"aud": "the-app-2"},
        {"aud": ["another", "the-app"]},
        {"aud": ["another", "the-app"], "azp": "another"},
        {"azp": "another"},
        {"azp": None, "aud": {"the-app": 1}},
        {"iss": "https://elsewhere.example.com"},
        {"iss": None},
        {"exp": True},
        {"exp": 1, "aud": "another"},
        {"exp": 1, "iss": "https://elsewhere.example.com"},
        {"exp": 1, "nonce": "another"},
        {"exp": None},
        {"exp": "9999999999"},
        {"exp": float("inf")},
        {"exp": 10**400},
        {"exp": float("nan")},
        {"nonce": "another"},
        {"nonce": None},
        dict.fromkeys(("iss", "aud", "exp", "nonce", "email")),
    ],
)
@pytest.mark.parametrize("signature", ["sig", ""], ids=["signed", "unsigned"])
def test_id_token_wrong_in_one_point_is_refused(server, changed, signature):
    with pytest.raises(LoginFailed, match="for another client or another sign-in"):
        of_id_token(server, id_token(server, **changed), signature)


def test_id_token_that_is_right_but_has_expired_is_a_matter_of_the_clock_here(server):
    claims = id_token(server, exp=time.time() - 3600)
    with pytest.raises(LoginFailed, match=r"by the clock here, it is \d{4}-\d\d-\d\d \d\d:\d\d UTC ") as raised:
        of_id_token(server, claims)
    assert raised.value.hint == "set the clock of this machine, then sign in again"


# Who is who


def target(**settings):
    return resolve(environ={}, host="https://workspace.example.com", **settings)


@pytest.mark.parametrize(
    ("wanted", "told", "good"),
    [("g1", "g1", True), ("g1", None, True), (None, "g1", True), (None, None, True), ("g1", "g2", False)],
)
def test_sign_in_for_another_group_than_the_profile_assumes_is_refused(wanted, told, good):
    settings = {"group_id": wanted} if wanted else {}
    identity = Identity("ada@example.com", frozenset({"ada@example.com"}), told)
    if good:
        check_identity(target(**settings), identity, None)
    else:
        with pytest.raises(WrongIdentity, match="for the group g2, but this profile assumes g1"):
            check_identity(target(**settings), identity, None)


def person(name):
    return Identity(name, frozenset({person_key(name)}))


SAME = [
    ("ada@example.com", "ADA@Example.COM"),
    ("J\u00f6rg@example.com", "jo\u0308rg@EXAMPLE.com"),  # composed, and not
    ("4711-Ab", "4711-Ab"),
]
OTHERS = [
    ("kate@example.com", "\u212aate@example.com"),  # the Kelvin sign, which folds to k
    ("susan@example.com", "\u017fusan@example.com"),  # the long s, which folds to s
    ("strasse@example.com", "stra\u00dfe@example.com"),
    ("fiona@example.com", "\ufb01ona@example.com"),
    ("j\u00f6rg@example.com", "J\u00d6RG@example.com"),
    ("\u03c3@example.com", "\u03c2@example.com"),
    ("ada@example.com", "\u0430da@example.com"),  # a Cyrillic letter
    ("4711-ab", "4711-AB"),  # a subject is compared as it is (RFC 7519 §4.1.2)
]


@pytest.mark.parametrize(("named", "signed_in"), SAME)
def test_same_person_in_another_spelling_is_taken(named, signed_in):
    check_identity(target(user=named), person(signed_in), held=named)


@pytest.mark.parametrize(("named", "signed_in"), [*OTHERS, *((b, a) for a, b in OTHERS)])
@pytest.mark.parametrize("by", ["profile", "session"])
def test_name_that_looks_alike_is_another_person(named, signed_in, by):
    user, held = (named, None) if by == "profile" else (None, named)
    with pytest.raises(WrongIdentity) as caught:
        check_identity(target(user=user), person(signed_in), held)
    shown = [name.encode("ascii", "backslashreplace").decode() for name in (named, signed_in)]
    assert all(name in caught.value.message for name in shown)
    assert caught.value.message.isascii()


@pytest.mark.parametrize(("one", "other"), OTHERS)
def test_people_whose_names_look_alike_have_entries_of_their_own(one, other):
    assert target(user=one).cache_key_fields() != target(user=other).cache_key_fields()


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spellings_of_one_person_share_an_entry(one, other):
    assert target(user=one).cache_key_fields() == target(user=other).cache_key_fields()


@pytest.mark.parametrize(("scopes", "asked"), [(("all-apis",), False), (("all-apis", "openid"), True)])
def test_userinfo_is_asked_only_where_openid_was_granted(server, scopes, asked):
    metadata = Metadata(
        server.url, f"{server.url}/authorize", f"{server.url}/token", userinfo_endpoint=f"{server.url}/userinfo"
    )
    client = Client("the-app", None, scopes, Transport(), lambda: metadata)
    identify(client, server.url, TokenResponse("opaque", 60.0, None, None, None))
    assert ("/userinfo" in [each.path for each in server.asked]) == asked
