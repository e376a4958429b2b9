"""Secrets that a server repeats are cut out of what it says, whatever it makes of them."""

import base64
import html
import json
import quopri
import random
import string
import time
import tracemalloc
from html.entities import html5
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakekey.errors import CredentialsRefused, TokenEndpointError
from lakekey.oauth import redaction
from lakekey.oauth.answer import Answer
from lakekey.oauth.redaction import redacted
from lakekey.oauth.token_response import InvalidGrant, parse

pytestmark = pytest.mark.every_input

NAMES = {character: f"&{name}" for name, character in html5.items() if name.endswith(";")}
SECRET = "dose/1234+p&ss w\u00f6rd'\"<=>"


def basic(secret):
    return base64.b64encode(f"a-client:{quote_plus(secret)}".encode()).decode()


ENCODINGS = {
    "as it is": lambda secret: secret,
    "percent": lambda secret: quote(secret, safe=""),
    "percent, small": lambda secret: "".join(f"%{byte:02x}" for byte in secret.encode()),
    "every character": lambda secret: "".join(f"%{byte:02X}" for byte in secret.encode()),
    "form": quote_plus,
    "twice": lambda secret: quote(quote(secret, safe=""), safe=""),
    "JSON": json.dumps,
    "JSON, every character": lambda secret: "".join(f"\\u{ord(character):04x}" for character in secret),
    "JSON in JSON": lambda secret: json.dumps(json.dumps(secret)),
    "form in JSON": lambda secret: json.dumps(quote_plus(secret)),
    "HTML": html.escape,
    "HTML, numbers": lambda secret: "".join(f"&#{ord(character)};" for character in secret),
    "HTML, zeros": lambda secret: "".join(f"&#{ord(character):011};" for character in secret),
    "HTML, hexadecimal with zeros": lambda secret: "".join(f"&#X{ord(character):08x};" for character in secret),
    "HTML, hexadecimal": lambda secret: "".join(f"&#x{ord(character):X};" for character in secret),
    "HTML, names": lambda secret: "".join(NAMES.get(character, character) for character in secret),
    "HTML, without an end": lambda secret: "".join(f"&#{ord(character)}" for character in secret),
    "quoted-printable": lambda secret: quopri.encodestring(secret.encode()).decode(),
    "quoted-printable, every byte": lambda secret: "".join(f"={byte:02X}" for byte in secret.encode()),
    "quoted-printable, over lines": "=\r\n".join,
    "quoted-printable in JSON": lambda secret: json.dumps("=\n".join(secret)),
    "quoted-printable of JSON": lambda secret: quopri.encodestring(json.dumps(secret).encode()).decode(),
    "octal": lambda secret: "".join(f"\\{byte:03o}" for byte in secret.encode()),
    "braces": lambda secret: "".join(f"\\u{{{ord(character):x}}}" for character in secret),
    "eight digits": lambda secret: "".join(f"\\U{ord(character):08x}" for character in secret),
    "Python": lambda secret: repr(secret.encode()),
    "hexadecimal": lambda secret: secret.encode().hex().upper(),
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64url": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
    "base64, one byte on": lambda secret: base64.b64encode(b"x" + secret.encode() + b"yz").decode(),
    "base64, two bytes on": lambda secret: base64.b64encode(b"xy" + secret.encode() + b"z").decode(),
    "base64 of UTF-16": lambda secret: base64.b64encode(secret.encode("utf-16-le")).decode(),
    "base64 of UTF-16, one byte on": lambda secret: base64.b64encode(b"x" + secret.encode("utf-16-be")).decode(),
    "hexadecimal of UTF-16": lambda secret: secret.encode("utf-16-le").hex(),
    "base64, percent": lambda secret: quote(base64.b64encode(secret.encode()).decode(), safe=""),
    "base64 of base64": lambda secret: base64.b64encode(b"x" + base64.b64encode(secret.encode())).decode().rstrip("="),
    "base64 of base64url": lambda secret: base64.b64encode(base64.urlsafe_b64encode(b"x" + secret.encode())).decode(),
    "base64 of hexadecimal": lambda secret: base64.b64encode(secret.encode().hex().upper().encode()).decode(),
    "hexadecimal of base64": lambda secret: base64.b64encode(secret.encode()).hex(),
    "base64 of base64 of UTF-16": lambda secret: base64.b64encode(
        base64.b64encode(secret.encode("utf-16-le"))
    ).decode(),
    "hexadecimal of base64 of UTF-16": lambda secret: base64.b64encode(secret.encode("utf-16-be")).hex(),
    "HTTP Basic": basic,
}


def traces(shown, encoded, run=12):
    """Runs of the encoded secret that are still to be seen; the client's id before it is not a secret."""
    encoded = encoded.removeprefix(basic("")[:12])
    return [encoded[at : at + run] for at in range(len(encoded) - run + 1) if encoded[at : at + run] in shown]


@pytest.mark.parametrize("name", ENCODINGS)
def test_secret_is_cut_out_in_every_encoding(name):
    encoded = ENCODINGS[name](SECRET)
    shown = redacted(f"before {encoded} after", (None, "", SECRET, quote_plus(SECRET)))
    assert traces(shown, encoded) == []
    assert "[redacted]" in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")


@pytest.mark.parametrize(
    "after", ["is known", "is known to this issuer, which may be another one than it was issued by" * 2]
)
def test_part_of_a_secret_is_cut_out(after):
    token = "rt-0123456789abcdefghijklmnop"
    assert redacted(f"no token {token[:14]}… {after}", (token,)) == f"no token [redacted]… {after}"


def test_short_secret_is_cut_out_as_a_whole_only():
    assert redacted("abc is wrong, not ab", ("abc",)) == "[redacted] is wrong, not ab"


def test_short_secret_is_cut_out_where_the_text_begins_with_it_and_half_of_it_is_encoded():
    assert redacted("ab%2Bcd is wrong", ("ab+cd",)) == "[redacted] is wrong"


def test_base64_is_cut_out_from_the_first_character_that_tells_something():
    whole, behind_a_byte = (base64.b64encode(before + b"abcdef").decode() for before in (b"", b"x"))
    assert (whole, behind_a_byte) == ("YWJjZGVm", "eGFiY2RlZg==")
    assert redacted(f"{whole} is wrong", ("abcdef",)) == "[redacted] is wrong"
    assert redacted(f"{behind_a_byte} is wrong", ("abcdef",)) == "eG[redacted]Zg== is wrong"


@pytest.mark.parametrize("number", ["&#1114112;", "&#x110000;"])
def test_number_beyond_all_characters_is_no_character(number):
    assert redacted(f"{number} abcdef", ("abcdef",)) == f"{number} [redacted]"


def test_run_of_eight_characters_gives_a_secret_away_and_one_of_seven_does_not():
    token = "rt-0123456789abcdefghijklmnop"
    assert redacted(f"see:{token[3:11]}!", (token,)) == "see:[redacted]!"
    assert redacted(f"see:{token[3:10]}!", (token,)) == f"see:{token[3:10]}!"


@pytest.mark.parametrize("secrets", [(), ("rt-0123456789",)])
def test_text_is_shown_as_far_as_it_is_looked_at(secrets):
    assert redacted("x" * 20_000, secrets) == "x" * 16_384


def test_long_secret_is_cut_out_and_none_of_its_many_runs_is_kept():
    secret = "".join(random.Random(7).choices(string.ascii_letters + string.digits, k=2000))
    redacted(secret[:20], [secret])  # what is loaded and compiled with the first
    tracemalloc.start()
    try:
        assert redacted(f"no: {secret[900:912]}", [secret]) == "no: [redacted]"
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_text_is_not_shown_beside_a_secret_that_takes_too_long_to_look_for():
    assert redacted("no", ["dose-" * 1639, "other"]) == "[redacted]"


def test_what_could_be_quoted_printable_is_looked_at_as_it_is_as_well():
    assert redacted("client_secret=ab%2Bcdefg, it says", ("ab+cdefg",)) == "client_secret=[redacted], it says"


def test_name_of_html_that_is_longer_decoded_makes_up_for_no_escape_that_is_shorter():
    assert redacted(r'"ab\/cd" was wrong &nLt;', ("ab/cd",)) == '"[redacted]" was wrong &nLt;'


def test_text_without_a_secret_stays_as_it_is():
    said = "AADSTS70008: 100% sure \\u00e9 &amp; expired"
    assert redacted(said, ("rt-0123456789",)) == said


@pytest.mark.parametrize(
    "names",
    [
        ["every character"] * 3,
        ["JSON, every character", "every character", "HTML, numbers"],
        ["JSON, every character", "quoted-printable, every byte"],
        ["every character", "every character", "every character", "quoted-printable, every byte"],
        ["quoted-printable, every byte", "every character", "every character", "every character"],
    ],
    ids=",".join,
)
def test_secret_that_no_character_of_is_as_it_was_is_cut_out(names):
    encoded = "dose/1234+pass"
    for name in names:
        encoded = ENCODINGS[name](encoded)
    assert redacted(f"no: {encoded}", ("dose/1234+pass",)) == "no: [redacted]"


def test_text_without_a_secret_is_not_taken_apart_byte_by_byte(monkeypatch):
    monkeypatch.setattr(redaction, "_views", None)  # which takes most of the time
    said = "Refresh token is invalid: 100%25 sure, a=3D1, \\u00e9 &amp; expired, or sent to another issuer than its own"
    for text in (said[:24], said):  # few runs of characters, and many
        assert redacted(text, ("rt-0123456789",)) == text


@given(
    secret=st.text(st.characters(max_codepoint=0xFFFF), min_size=1, max_size=40),
    around=st.text(max_size=30),
    name=st.sampled_from(sorted(ENCODINGS)),
)
@settings(max_examples=300, deadline=None, database=None)
def test_no_secret_and_no_text_is_too_strange(secret, around, name):
    if any(0xD800 <= ord(character) < 0xE000 for character in secret):
        return
    encoded = ENCODINGS[name](secret)
    shown = redacted(around + encoded + around, (secret, quote_plus(secret)))
    if len(secret.encode()) >= 16 and encoded not in around:
        assert encoded not in shown


@pytest.mark.parametrize(
    "text",
    [
        "%" * 100_000,
        "\\u" * 50_000,
        "&#" * 50_000,
        "a" * 100_000,
        "%25" * 40_000,
        "\\" * 99_999,
        "=" * 100_000,
        "=3D" * 40_000,
        "=\r" * 50_000,
        "&" + "a" * 99_999,
        "\\u{" * 40_000,
    ],
)
def test_worst_text_takes_no_time(text):
    began = time.process_time()
    redacted(text, ("a" * 4096, "%25" * 1000))
    assert time.process_time() - began < 2


@pytest.mark.parametrize("status", [400, 503])
@pytest.mark.parametrize("name", ENCODINGS)
def test_no_error_of_a_token_endpoint_shows_the_secret(name, status):
    encoded = ENCODINGS[name](SECRET)
    for body in ({"error": "invalid_grant", "error_description": encoded}, {"error": encoded}):
        answer = Answer(status, f"text/{encoded}", json.dumps(body).encode(), None)
        for labelled in (answer, answer._replace(content_type="application/json")):
            with pytest.raises((TokenEndpointError, CredentialsRefused, InvalidGrant)) as caught:
                parse(labelled, hidden=(SECRET,))
            assert traces(str(caught.value), encoded) == []


@pytest.mark.parametrize("secret", ["bad", "x", "xx", "xxx", "todo"])
def test_a_stand_in_for_a_secret_leaves_the_error_readable(secret):
    said = "invalid_client: Client authentication failed"
    assert redacted(said, [secret]) == said
    assert secret not in redacted(f"{said} for {secret}", [secret])


@pytest.mark.parametrize(
    "echoed",
    [
        "".join(f"%{byte:02x}" for byte in "😀😁😂".encode()),
        r"\ud83d\ude00\ud83d\ude01\ud83d\ude02",
        r"\uD83D\uDE00\uD83D\uDE01\uD83D\uDE02",
        "&#x1f600;&#x1f601;&#x1f602;",
        "&#128512;&#128513;&#128514;",
    ],
)
def test_each_character_of_an_escape_is_cut_out_and_nothing_beside_it(echoed):
    assert redacted(f"it is {echoed}, said", ["😀😁😂"]) == "it is [redacted], said"
