"""An answer with tokens that arrived whole is taken, whatever its framing and its labels say: it is sent only once."""

import gzip
import json
import random
import zlib

import pytest

from lakekey.errors import TokenEndpointError
from lakekey.oauth.content_coding import unpacked
from lakekey.oauth.token_response import parse
from lakekey.oauth.transport import MAX_BODY, Transport
from support.servers.odd_server import OddServer

BODY = json.dumps({"access_token": "t", "token_type": "Bearer", "refresh_token": "next", "expires_in": 3600}).encode()
OPEN = BODY[:-1]
PACKED = gzip.compress(BODY)
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(BODY), BODY)


def whole(body, *headers):
    return OK + b"".join(b"%b\r\n" % header for header in headers) + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def whole_in_chunks(*parts):
    chunks = (b"%x;a=b:c\r\n%b\r\n" % (len(part), part) for part in (*parts, b""))
    return OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks)


def deflated(window):
    packer = zlib.compressobj(9, zlib.DEFLATED, window)
    return packer.compress(BODY) + packer.flush()


MANY = [b"X-%d: y" % number for number in range(900)]
FLAWED = {
    "packed": whole(PACKED, b"Content-Encoding: gzip"),
    "packed, without a label": whole(PACKED),
    "packed twice": whole(gzip.compress(PACKED), b"Content-Encoding: gzip"),
    "packed, without the end": whole(PACKED[:-8], b"Content-Encoding: gzip"),
    "packed, with another checksum": whole(PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:], b"Content-Encoding: gzip"),
    "packed, with another length": whole(PACKED[:-4] + b"\0\0\0\0", b"Content-Encoding: gzip"),
    "packed twice, with other checksums": whole(gzip.compress(PACKED[:-8] + b"\0" * 8)[:-8] + b"\0" * 8),
    "deflated, with another checksum": whole(zlib.compress(BODY)[:-4] + b"\0\0\0\0", b"Content-Encoding: deflate"),
    "deflated": whole(zlib.compress(BODY), b"Content-Encoding: deflate"),
    "labelled gzip": whole(BODY, b"Content-Encoding: gzip"),
    "labelled deflate": whole(BODY, b"Content-Encoding: deflate"),
    "labelled many times": whole(BODY, b"Content-Encoding: " + b", ".join([b"gzip"] * 20)),
    "shorter than its length": OK + b"Content-Length: 1000\r\n\r\n" + BODY,
    "length that is not a number": OK + b"Content-Length: x\r\n\r\n" + BODY,
    "without the last chunk": CHUNKED,
    "with a chunk whose size is not a number": CHUNKED + b"zz\r\n\r\n",
    "byte that is not UTF-8": whole(OPEN + b', "name": "Zo\xeb"}'),
    "UTF-16": whole(BODY.decode().encode("utf-16")),
    "line break in a string": whole(OPEN + b', "name": "a\nb"}'),
    "number without measure": whole(OPEN + b', "n": ' + b"1" * 5000 + b"}"),
    "packed in two members": whole(gzip.compress(BODY[:40]) + gzip.compress(BODY[40:]), b"Content-Encoding: gzip"),
    "packed in two members, with another checksum": whole(gzip.compress(BODY[:40]) + gzip.compress(BODY[40:])[:-8]),
    "packed, with zeros behind it": whole(PACKED + b"\0" * 9),
    "deflated with a small window": whole(deflated(12), b"Content-Encoding: deflate"),
    "deflated without its two first bytes": whole(deflated(-15), b"Content-Encoding: Deflate"),
    "UTF-16, labelled deflate": whole(BODY.decode().encode("utf-16"), b"Content-Encoding: deflate"),
    "comments before it": whole(b"\n<!-- a gateway -->\n <!---->" + BODY),
    "comment behind it": whole(BODY + b"\n<!-- a gateway -->"),
    "zeros behind it": whole(BODY + b"\0\0"),
    "chunks with words of their own": whole_in_chunks(BODY[:30], BODY[30:50], BODY[50:]),
    "deflated without its two first bytes, and a line break": whole(
        deflated(-15) + b"\n", b"Content-Encoding: deflate"
    ),
    "many headers": whole(BODY, *MANY),
    "many headers before its length": OK + b"\r\n".join([*MANY, b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)]),
    "many headers before its chunks": CHUNKED.replace(OK, OK + b"\r\n".join(MANY) + b"\r\n") + b"0\r\n\r\n",
    "many headers of early hints": OK.replace(b"200", b"103") + b"\r\n".join([*MANY, b"\r\n"]) + whole(BODY, *MANY),
    "early hints before it": b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n" + whole(BODY),
    "interim responses before it": b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + whole(BODY),
}


def posted(answer):
    with OddServer(lambda connection: connection.sendall(answer)) as server:
        return parse(Transport().post_form(f"{server.host}/token", {"grant_type": "refresh_token"}))


@pytest.mark.parametrize("flaw", FLAWED)
def test_tokens_that_arrived_whole_are_taken(flaw):
    response = posted(FLAWED[flaw])
    assert (response.access_token, response.refresh_token) == ("t", "next")


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 1000\r\n\r\n" + OPEN,
        OK + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(OPEN), OPEN),
        whole(PACKED[:40], b"Content-Encoding: gzip"),
        whole(PACKED[:30] + b"damage" + PACKED[36:]),
    ],
    ids=["length", "chunks", "packed", "damaged"],
)
def test_tokens_that_arrived_in_part_are_not_used(answer):
    with pytest.raises(TokenEndpointError):
        posted(answer)


@pytest.mark.parametrize(
    "answer",
    [
        whole(BODY, *(b"X-%d: y" % number for number in range(2200))),
        whole(BODY, b"X: " + b"y" * 65536),
        whole(BODY, b"Content-Length: 7"),
        whole(BODY).replace(b"HTTP/1.1", b"HTTP/2"),
        CHUNKED.replace(b"\r\n\r\n", b"\r\n\r\nzz\r\n", 1),
        b"SSH-2.0 a-server\r\n\r\n",
    ],
    ids=["headers", "line", "two lengths", "protocol", "chunk", "not HTTP"],
)
def test_answer_that_cannot_be_read_is_not_called_a_trouble_of_the_network(answer):
    with pytest.raises(
        TokenEndpointError,
        match=r"^the answer of 127\.0\.0\.1:\d+, or of a proxy, (cannot be read: \w+|is incomplete) ",
    ) as caught:
        posted(answer)
    assert caught.value.retryable
    assert "proxy" in caught.value.hint


@pytest.mark.parametrize(
    "answer",
    [OK + b"Content-Length: 7\r\n\r\n" + BODY, whole(BODY).replace(b"200 OK", b"204 No Content")],
    ids=["small length", "no body"],
)
def test_answer_without_its_tokens_is_an_error_of_ours(answer):
    with pytest.raises(TokenEndpointError):
        posted(answer)


def test_body_that_no_label_calls_deflated_is_left_as_it_is():
    assert unpacked(deflated(-15), 1000) == deflated(-15)


@pytest.mark.parametrize("length", [3, 4])
def test_damaged_body_is_unpacked_up_to_its_flaw(length):
    header, stored = b"\x78\x01", b"\0" + length.to_bytes(2, "little") + (0xFFFF - length).to_bytes(2, "little")
    body = header + stored + b"x" * length + b"\xff"  # a block of a kind that there is not (RFC 1951 §3.2.3)
    assert unpacked(body, 1000) == b"x" * length


def test_members_behind_one_that_is_too_long_are_not_unpacked():
    assert len(unpacked(gzip.compress(b"x" * 101) + gzip.compress(b"x" * 1000), 100)) == 101


def test_refresh_token_that_is_not_of_the_encoding_counts_as_not_given():
    assert posted(whole(BODY.replace(b"next", b"ne\xebt"))).refresh_token is None


@pytest.mark.parametrize("length", [1, 1023, 1024, 1025, 5000])
def test_what_a_wrong_checksum_ends_is_unpacked_whole(length):
    body = random.Random(7).randbytes(length)
    assert unpacked(gzip.compress(body)[:-8] + b"\1" * 8, MAX_BODY) == body


def test_members_without_end_are_cut_off():
    assert unpacked(gzip.compress(b"a") * 100, MAX_BODY) == b"a" * 64


def test_bomb_is_cut_off():
    with pytest.raises(TokenEndpointError, match="sent more than"):
        posted(whole(gzip.compress(b" " * 100_000_000)))
    assert len(unpacked(gzip.compress(b" " * 100_000_000), MAX_BODY)) == MAX_BODY + 1
