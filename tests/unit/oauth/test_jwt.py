"""JWTs are read, not verified: what is none is told apart."""

import base64
import json

import pytest

from lakekey.errors import ConfigurationError
from lakekey.oauth import jwt


def encoded(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


HEAD, BODY = encoded({"alg": "RS256"}), encoded({"sub": "ada", "iss": "https://idp", "aud": ["a"], "jti": "x"})


def test_claims_of_an_unsigned_token_are_read_only_where_they_are_to_be_refused():
    assert jwt.claims(f"{HEAD}.{BODY}.") is None
    assert jwt.claims(f"{HEAD}.{BODY}.", unsigned=True)["sub"] == "ada"
    assert jwt.claims(f"{HEAD}.{BODY}.c2ln")["sub"] == "ada"


@pytest.mark.parametrize(
    "token", [f".{BODY}.c2ln", f"{HEAD}..c2ln", f"{HEAD}.{BODY}", f"{HEAD}.{BODY}.c2ln.x", "", "..", "a.b.c"]
)
@pytest.mark.parametrize("unsigned", [False, True])
def test_what_is_not_a_jwt_has_no_claims(token, unsigned):
    assert jwt.claims(token, unsigned=unsigned) is None


@pytest.mark.parametrize(
    "text, what",
    [("", "is empty"), (" \n", "is empty"), ("opaque", "holds no JWT"), (f"{HEAD}.{BODY}.", "holds no JWT")],
)
def test_source_of_a_token_that_is_not_a_jwt_is_named_and_not_quoted(text, what):
    with pytest.raises(ConfigurationError) as caught:
        jwt.checked(text, "the variable T")
    assert caught.value.message == f"the variable T {what}"


def test_token_is_known_by_issuer_and_subject_and_described_by_what_a_policy_matches():
    token = f"{HEAD}.{BODY}.c2ln"
    assert jwt.checked(f" {token}\n", "the variable T") == token
    assert jwt.subject(token) == "ada at https://idp"
    assert jwt.description(token) == "iss 'https://idp', sub 'ada', aud ['a']"


@pytest.mark.parametrize("end", [1800000000, 1800000000.5, (1 << 34) - 1])
def test_token_says_when_it_expires_by_a_number_of_seconds(end):
    assert jwt.ends_at({"exp": end}) == end


@pytest.mark.parametrize("end", [0, 0.5, -1, -(10**400), float("-inf")])
def test_token_whose_end_lies_before_the_epoch_has_expired(end):
    assert jwt.ends_at({"exp": end}) == 1


@pytest.mark.parametrize("end", [None, True, "1800000000", [1800000000], 10**30, 1 << 34, float("inf"), float("nan")])
def test_end_without_a_date_is_not_reported(end):
    assert jwt.ends_at({"exp": end}) is None
    assert jwt.ends_at({}) is None


def test_subject_that_cannot_be_encoded_is_spelled_out():
    assert jwt.subject(f"{HEAD}.{encoded({'sub': chr(0xDCFF), 'iss': 'https://idp'})}.c2ln") == r"\udcff at https://idp"


def test_token_with_a_signature_that_cannot_be_sent_is_refused():
    with pytest.raises(ConfigurationError, match="holds no JWT"):
        jwt.checked(f"{HEAD}.{BODY}.\udcff", "the file")
