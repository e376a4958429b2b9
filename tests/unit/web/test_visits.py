"""What the portal takes of a request."""

import asyncio

import pytest
from starlette.requests import Request

from lakekey.web.visits import form_of

FORM = "application/x-www-form-urlencoded"


def form(*messages, content_type=FORM, slowest=60.0):
    """The fields of a form that comes in these pieces, of which the last is followed by silence."""
    pieces = iter(messages)

    async def receive():
        piece = next(pieces, None)
        return piece if piece is not None else await asyncio.Event().wait()

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", content_type.encode())]}
    return asyncio.run(form_of(Request(scope, receive), slowest=slowest))


def part(body, *, more=True):
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.mark.parametrize("content_type", [FORM, f"{FORM}; charset=UTF-8"])
def test_form_is_read_whole_however_many_pieces_it_comes_in(content_type):
    read = form(part(b"token=one"), part(b"&empty=&name=a%20"), part(b"b", more=False), content_type=content_type)
    assert read == {"token": "one", "empty": "", "name": "a b"}


def test_form_that_does_not_come_is_given_up():
    assert form(part(b"token="), slowest=0.01) is None


def test_form_that_breaks_off_is_not_taken():
    assert form(part(b"token="), {"type": "http.disconnect"}) is None


def test_form_of_more_bytes_than_ours_have_is_not_read_on():
    assert form(part(b"token=" + b"x" * 16 * 1024)) is None


@pytest.mark.parametrize("body", [b"token=\xff", b"token=%ff", b"&".join(b"name=1" for _ in range(21))])
def test_form_that_is_not_as_ours_are_is_not_taken(body):
    assert form(part(body, more=False)) is None


def test_body_of_another_kind_is_not_taken():
    assert form(part(b'{"token": "one"}', more=False), content_type="application/json") is None
