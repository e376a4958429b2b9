"""REST by hand: requests and httpx, with one retry after a 401."""

import asyncio
import io
import ssl

import httpx
import pytest
import requests

import lakekey

ME = "/api/2.0/preview/scim/v2/Me"


@pytest.fixture
def box(lakekey_environment):
    return lakekey_environment


@pytest.fixture
def principal(box):
    return lakekey.provider(
        host=box.host, ca_file=box.ca_file, client_id=box.client_id, client_secret=box.client_secret
    )


def ask_requests(box, provider):
    return requests.get(box.host + ME, auth=lakekey.requests_auth(provider), timeout=20).status_code


def ask_httpx(box, provider):
    with httpx.Client(auth=lakekey.httpx_auth(provider), verify=trust(box)) as client:
        return client.get(box.host + ME).status_code


def ask_httpx_async(box, provider):
    async def ask():
        async with httpx.AsyncClient(auth=lakekey.httpx_auth(provider), verify=trust(box)) as client:
            return (await client.get(box.host + ME)).status_code

    return asyncio.run(ask())


def trust(box):
    return ssl.create_default_context(cafile=box.ca_file)


WAYS = pytest.mark.parametrize("ask", [ask_requests, ask_httpx, ask_httpx_async])


@WAYS
def test_a_request_is_signed_in(box, principal, ask):
    assert ask(box, principal) == 200


@WAYS
def test_a_revoked_token_is_renewed_and_the_request_sent_once_more(box, principal, ask):
    box.revoke(token=principal.token().access_token)
    assert ask(box, principal) == 200
    assert box.counters["token.client_credentials"] == 2


@WAYS
def test_a_second_401_is_the_answer(box, principal, ask):
    box.fault("scim", status=401, times=None)
    assert ask(box, principal) == 401
    assert sum(record.route == "scim" for record in box.log) == 2


@WAYS
def test_the_token_goes_to_no_other_host(box, principal, ask):
    class Elsewhere:
        host = "https://elsewhere.example"
        ca_file = box.ca_file

    with pytest.raises(lakekey.ConfigurationError, match="would carry the token of"):
        ask(Elsewhere, principal)


def test_a_file_that_was_read_by_the_first_attempt_is_sent_whole_by_the_second(box, principal):
    box.revoke(token=principal.token().access_token)
    answer = requests.get(
        box.host + ME, auth=lakekey.requests_auth(principal), data=io.BytesIO(b"x" * 5000), timeout=20
    )
    assert answer.status_code == 200
    assert answer.request.headers["Content-Length"] == "5000"


def test_the_answer_remembers_the_refused_one(box, principal):
    box.revoke(token=principal.token().access_token)
    answer = requests.get(box.host + ME, auth=lakekey.requests_auth(principal), timeout=20)
    assert [earlier.status_code for earlier in answer.history] == [401]
