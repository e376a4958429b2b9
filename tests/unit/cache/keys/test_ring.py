"""The ring and its text form."""

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakekey.cache.keys.ring import KEY_BYTES, format_ring, key_id, parse_ring
from lakekey.errors import KeyUnavailable

RINGS = st.lists(st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES), min_size=1, max_size=4, unique=True)


def parse(text):
    return parse_ring(text, source="env", where="LAKEKEY_KEY")


@given(RINGS)
def test_a_ring_survives_its_text_form_with_the_first_key_as_the_current_one(keys):
    ring = parse(format_ring(keys))
    assert list(ring.keys.values()) == keys
    assert ring.current == key_id(keys[0])


@given(RINGS)
def test_either_base64_alphabet_will_do_with_or_without_padding(keys):
    standard = " ".join(base64.b64encode(key).decode() for key in keys)
    urlsafe = "\n".join(base64.urlsafe_b64encode(key).decode().rstrip("=") for key in keys)
    assert parse(standard) == parse(urlsafe)


def test_comments_are_skipped():
    key = base64.b64encode(os.urandom(32)).decode()
    assert len(parse(f"# made in May\n{key} # the new one\n").keys) == 1


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_comment_ends_with_its_line_and_not_where_only_some_programs_see_an_end(end):
    key, other = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
    assert parse(f"# put away{end}{other}\n{key}\n").current == key_id(base64.b64decode(key))


@given(st.text(max_size=60))
def test_no_text_is_quoted_when_it_is_not_a_key(text):
    try:
        parse(text)
    except KeyUnavailable as error:
        words = [word for word in text.split() if len(word) > 11]
        assert not [word for word in words if word in str(error)]
        assert error.hint


@pytest.mark.parametrize("text", ["", "   \n", "# only a comment", "AAAA", "not a key", "é" * 43, "A" * 44, "A" * 90])
def test_a_text_without_a_whole_key_is_refused(text):
    with pytest.raises(KeyUnavailable):
        parse(text)


def test_a_ring_does_not_show_its_keys():
    ring = parse(base64.b64encode(b"k" * 32).decode())
    assert "k" * 32 not in repr(ring)
    assert base64.b64encode(b"k" * 32).decode() not in repr(ring)
    assert ring.current.hex() in repr(ring)


@pytest.mark.parametrize("sign", ["!", "\u00e4", ".", "="])
def test_key_with_a_sign_that_does_not_belong_there_is_refused(sign):
    key = base64.b64encode(b"1" * KEY_BYTES).decode()
    assert parse(key).current == key_id(b"1" * KEY_BYTES)
    with pytest.raises(KeyUnavailable, match="is not a base64 key"):
        parse(key[:4] + sign + key[4:])


def test_id_of_a_key_stays_what_it_was_for_it_stands_in_every_entry():
    assert key_id(b"k" * KEY_BYTES).hex() == "88db3f05d4947145"
