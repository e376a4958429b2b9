"""The header lines that are read of an answer: a hundred others do not hide them."""

import io

import pytest

from lakekey.oauth.header_lines import HeaderLines


def lines(text):
    reader = HeaderLines(io.BytesIO(text))
    return list(iter(lambda: reader.readline(65537), b""))


def test_lines_that_say_how_the_body_ends_are_passed_on_and_no_others():
    assert lines(b"HTTP/1.1 200 OK\r\nX: y\r\ncontent-LENGTH : 7\r\nSet-Cookie: z\r\n\r\nthe body") == [
        b"HTTP/1.1 200 OK\r\n", b"content-LENGTH : 7\r\n", b"\r\n", b"the body",
    ]  # fmt: skip


def test_answer_behind_an_interim_one_begins_with_its_own_status():
    interim, final = b"HTTP/1.1 103 Early Hints\r\n", b"HTTP/1.1 200 OK\r\n"
    assert lines(interim + b"X: y\r\n\r\n" + final + b"X: y\r\n\n") == [interim, b"\r\n", final, b"\n"]


@pytest.mark.parametrize("blank", [b" ", b"\t"])
def test_folded_line_goes_the_way_of_its_header(blank):
    kept = b"Date: now\r\n" + blank + b"or later\r\n"
    assert b"".join(lines(b"HTTP/1.1 200 OK\r\nX: y\r\n" + blank + b"z\r\n" + kept + b"\r\n")) == (
        b"HTTP/1.1 200 OK\r\n" + kept + b"\r\n"
    )


def test_what_is_not_a_header_is_left_to_the_library():
    odd = [b"HTTP/1.1 200 OK\r\n", b"no colon\r\n", b"X: cut off"]
    assert lines(b"".join(odd)) == odd


def test_headers_without_end_are_left_to_the_library_in_the_end():
    assert len(lines(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 2150)) == 151
