"""REST by hand: requests and httpx, with one retry after a 401."""

import asyncio
import io
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
import requests
import trio
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

import lakekey

ME = "/api/2.0/preview/scim/v2/Me"


def ask_requests(box, provider, body=None, method="GET"):
    auth = lakekey.requests_auth(provider)
    return requests.request(method, box.host + ME, auth=auth, data=body, timeout=20).status_code


def ask_httpx(box, provider, body=None, method="GET"):
    with httpx.Client(auth=lakekey.httpx_auth(provider), verify=trust(box), follow_redirects=True) as client:
        return client.request(method, box.host + ME, content=body).status_code


def ask_httpx_async(box, provider, body=None, method="GET", run=lambda main: asyncio.run(main())):
    async def parts():
        for part in body:
            yield part

    async def ask():
        async with httpx.AsyncClient(
            auth=lakekey.httpx_auth(provider), verify=trust(box), follow_redirects=True
        ) as client:
            content = body if isinstance(body, bytes | None) else parts()
            return (await client.request(method, box.host + ME, content=content)).status_code

    return run(ask)


def ask_httpx_trio(box, provider, body=None, method="GET"):
    return ask_httpx_async(box, provider, body, method, run=trio.run)


def trust(box):
    return ssl.create_default_context(cafile=box.ca_file)


WAYS = pytest.mark.parametrize("ask", [ask_requests, ask_httpx, ask_httpx_async, ask_httpx_trio])


@WAYS
def test_a_request_is_signed_in(box, principal, ask):
    assert ask(box, principal) == 200


@WAYS
def test_request_for_a_known_workspace_says_which(box, ask):
    heard = []

    class Workspace(BaseHTTPRequestHandler):
        def do_GET(self):
            heard.append(
                (self.path, self.headers.get("X-Databricks-Org-Id"), self.headers.get("X-Databricks-Workspace-Id"))
            )
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Workspace) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

        class Unified:
            host = f"http://127.0.0.1:{server.server_address[1]}"
            ca_file = box.ca_file

        for workspace in ("42", "none"):
            ask(Unified, lakekey.provider(host=Unified.host, workspace_id=workspace, auth_type="pat", token="dapi-1"))
        server.shutdown()
    assert [each for each in heard if each[0] == ME] == [(ME, "42", "42"), (ME, None, None)]


def test_callers_own_workspace_and_the_accounts_calls_are_left_alone(principal, monkeypatch):
    from lakekey.rest import _route

    target = type("Target", (), {"workspace_id": "42"})
    provider = type("Provider", (), {"target": target})
    own, account = {"X-Databricks-Org-Id": "7"}, {}
    _route(provider, "https://h/api/2.0/me", own)
    _route(provider, "https://h/api/2.0/accounts/a/workspaces", account)
    assert own["X-Databricks-Org-Id"] == "7"
    assert account == {}


@WAYS
def test_a_revoked_token_is_renewed_and_the_request_sent_once_more(box, principal, ask):
    box.revoke(token=principal.token().access_token)
    assert ask(box, principal) == 200
    assert box.counters["token.client_credentials"] == 2


@WAYS
def test_a_body_that_is_at_hand_is_sent_once_more(box, principal, ask):
    box.revoke(token=principal.token().access_token)
    assert ask(box, principal, b"x" * 5000) == 200


@WAYS
def test_a_stream_that_is_gone_is_not_sent_again_and_the_next_request_has_a_new_token(box, principal, ask):
    box.revoke(token=principal.token().access_token)
    assert ask(box, principal, iter([b"x" * 5000])) == 401
    assert ask(box, principal, iter([b"x" * 5000])) == 200
    assert box.counters["token.client_credentials"] == 2


def test_the_files_of_a_form_are_sent_once_more_by_httpx(box, principal):
    box.revoke(token=principal.token().access_token)
    with httpx.Client(auth=lakekey.httpx_auth(principal), verify=trust(box)) as client:
        answer = client.request("GET", box.host + ME, files={"part": io.BytesIO(b"x" * 5000)})
    assert answer.status_code == 200


@pytest.mark.parametrize("way", ["requests", "httpx", "httpx async"])
def test_32_requests_at_once_that_meet_a_revoked_token_fetch_one(box, principal, way):
    token = principal.token().access_token
    box.revoke(token=token)
    box.reset_log()
    if way == "httpx async":

        async def ask_all():
            async with httpx.AsyncClient(auth=lakekey.httpx_auth(principal), verify=trust(box)) as client:
                return await asyncio.gather(*(client.get(box.host + ME) for _ in range(32)))

        found = [answer.status_code for answer in asyncio.run(ask_all())]
    else:
        ask = ask_requests if way == "requests" else ask_httpx
        with ThreadPoolExecutor(32) as pool:
            found = list(pool.map(lambda _: ask(box, principal), range(32)))
    assert found == [200] * 32
    assert box.counters["token.requests"] == 1


@WAYS
def test_a_second_401_is_the_answer(box, principal, ask):
    box.fault("scim", status=401, times=None)
    assert ask(box, principal) == 401
    assert sum(record.route == "scim" for record in box.log) == 2


@WAYS
def test_user_name_and_password_that_are_refused_are_not_sent_again(box, ask):
    basic = lakekey.provider(host=box.host, ca_file=box.ca_file, username="ada", password="wrong")
    with pytest.raises(lakekey.LoginRequired, match="basic has no other"):
        ask(box, basic)
    assert [record.status for record in box.log if record.route == "scim"] == [401]


@WAYS
def test_many_401s_cost_one_exchange(box, principal, ask):
    box.fault("scim", status=401, times=None)
    assert [ask(box, principal) for _ in range(10)] == [401] * 10
    assert box.counters["token.requests"] == 2  # the first token, and one that replaced it
    assert sum(record.route == "scim" for record in box.log) == 11, "without another token, a request is not repeated"


@WAYS
def test_new_token_that_has_served_one_request_is_replaced_when_it_is_refused(box, principal, ask):
    principal.invalidate(principal.token().access_token)
    assert ask(box, principal) == 200
    box.revoke(token=principal.token().access_token)
    assert ask(box, principal) == 200
    assert box.counters["token.requests"] == 3


@WAYS
def test_new_token_that_has_served_is_replaced_when_it_is_refused(box, principal, ask):
    for expected in (2, 3, 4):
        box.revoke(token=principal.token().access_token)
        assert ask(box, principal) == 200
        assert box.counters["token.requests"] == expected


@WAYS
def test_resource_that_refuses_what_others_accept_costs_few_exchanges(box, principal, ask):
    for _ in range(10):
        box.fault("scim", status=401, times=2)
        assert ask(box, principal) == 401
        box.clear_faults()
        assert ask(box, principal) == 200
    assert box.counters["token.requests"] <= 5


@WAYS
def test_the_token_goes_to_no_other_host(box, principal, ask):
    class Elsewhere:
        host = "https://elsewhere.example"
        ca_file = box.ca_file

    with pytest.raises(lakekey.ConfigurationError, match="would carry the token of"):
        ask(Elsewhere, principal)


@WAYS
@pytest.mark.parametrize("status", [204, 401])
def test_a_redirect_to_another_host_is_followed_without_the_token(box, principal, ask, status):
    """And what that host answers says nothing of the token, which is neither renewed nor sent again."""
    heard = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self):
            heard.append(self.headers.get("Authorization"))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        location = f"http://127.0.0.1:{server.server_address[1]}/"
        box.fault("scim", status=302, headers={"Location": location}, times=None)
        assert ask(box, principal) == status
        server.shutdown()
    assert heard == [None]
    assert box.counters["token.requests"] == 1


@WAYS
def test_refused_request_that_a_redirect_led_to_is_sent_again_and_not_the_one_that_was_served(box, principal, ask):
    box.fault("scim", status=303, headers={"Location": box.host + ME})
    box.fault("scim", status=401)
    assert ask(box, principal, b"x", "POST") == 200
    asked = [(record.method, record.status) for record in box.log if record.route == "scim"]
    assert asked == [("POST", 303), ("GET", 401), ("GET", 200)]


@WAYS
def test_another_host_that_leads_back_gets_no_token_onto_its_request(box, principal, ask):
    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(302)
            self.send_header("Location", box.host + ME)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        box.fault("scim", status=302, headers={"Location": f"http://127.0.0.1:{server.server_address[1]}/"})
        assert ask(box, principal) == 401
        server.shutdown()
    assert [record.status for record in box.log if record.route == "scim"] == [302, 401]
    assert box.counters["token.requests"] == 1


@WAYS
def test_a_password_in_an_address_is_not_in_the_error(box, principal, ask):
    class Elsewhere:
        host = "https://stranger:hunter2@elsewhere.example"
        ca_file = box.ca_file

    with pytest.raises(lakekey.ConfigurationError, match=r"https://elsewhere\.example would carry") as caught:
        ask(Elsewhere, principal)
    assert "hunter2" not in str(caught.value)


def test_a_program_whose_request_is_cancelled_waits_for_no_token_at_its_end(box, principal):
    async def ask():
        async with httpx.AsyncClient(auth=lakekey.httpx_auth(principal), verify=trust(box)) as client:
            await asyncio.wait_for(client.get(box.host + ME), timeout=0.5)

    box.fault("token", delay=8)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        asyncio.run(ask())
    assert time.monotonic() - began < 6


def test_a_body_that_can_be_read_only_once_is_not_sent_again(box, principal):
    box.revoke(token=principal.token().access_token)
    body = (chunk for chunk in [b"x" * 5000])
    answer = requests.get(box.host + ME, auth=lakekey.requests_auth(principal), data=body, timeout=20)
    assert answer.status_code == 401
    assert box.counters["token.client_credentials"] == 2, "the next request is to have a new token"


class OnlyRead:
    """A body that can be read, as encoders of forms can, and no more."""

    def __init__(self, content):
        self._content = io.BytesIO(content)
        self.read = self._content.read

    def __len__(self):
        return len(self._content.getvalue())


class Unseekable(io.RawIOBase):
    """A stream that tells where it is, as urllib3's answers do, and cannot go back."""

    def __init__(self, content):
        self._content = io.BytesIO(content)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._content.readinto(buffer)

    def tell(self):
        return self._content.tell()


@pytest.mark.parametrize("body", [OnlyRead, Unseekable])
def test_a_body_that_cannot_be_rewound_is_not_sent_again_empty(box, principal, body):
    box.revoke(token=principal.token().access_token)
    answer = requests.get(box.host + ME, auth=lakekey.requests_auth(principal), data=body(b"x" * 5000), timeout=20)
    assert answer.status_code == 401
    assert answer.history == []


@pytest.mark.parametrize("file", [Unseekable(b"x" * 5000), OnlyRead(b"x" * 5000)], ids=["unseekable", "only read"])
def test_a_form_whose_file_cannot_be_rewound_is_not_sent_again_empty(box, principal, file):
    box.revoke(token=principal.token().access_token)
    with httpx.Client(auth=lakekey.httpx_auth(principal), verify=trust(box)) as client:
        answer = client.request("GET", box.host + ME, files={"part": file, "text": b"at hand"})
        again = client.request("GET", box.host + ME, files={"part": b"at hand"}, data={"field": "value"})
    assert (answer.status_code, again.status_code) == (401, 200)
    assert sum(record.route == "scim" for record in box.log) == 2, "and no second attempt"


def test_an_iterator_that_calls_itself_a_form_is_not_sent_again(box, principal):
    box.revoke(token=principal.token().access_token)
    form = {"Content-Type": "multipart/form-data; boundary=b"}
    with httpx.Client(auth=lakekey.httpx_auth(principal), verify=trust(box)) as client:
        answer = client.request("GET", box.host + ME, content=iter([b"--b--"]), headers=form)
    assert answer.status_code == 401


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


class Endless(io.RawIOBase):
    """A body that has no end; a reader that goes on all the same is stopped."""

    def __init__(self):
        self.read_so_far = 0

    def readable(self):
        return True

    def readinto(self, buffer):
        self.read_so_far += len(buffer)
        assert self.read_so_far < 1 << 20, "it is read without end"
        buffer[:] = bytes(len(buffer))
        return len(buffer)


def test_refusal_without_an_end_holds_no_streamed_request_up(box, principal):
    class Refuses(HTTPAdapter):
        refused = False

        def send(self, request, **options):
            if self.refused:
                return super().send(request, **options)
            self.refused = True
            return self.build_response(request, HTTPResponse(body=Endless(), status=401, preload_content=False))

    with requests.Session() as session:
        session.mount(box.host, Refuses())
        options = {"auth": lakekey.requests_auth(principal), "verify": box.ca_file, "timeout": 20}
        assert session.get(box.host + ME, stream=True, **options).status_code == 200
