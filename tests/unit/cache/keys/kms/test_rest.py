"""A key management service is asked over HTTP, and what it says goes where it should."""

import json

import pytest

from lakekey.cache.keys.kms import rest
from lakekey.cache.keys.kms.rest import Answer
from lakekey.cache.keys.kms.service import Kind, KmsTrouble


@pytest.fixture
def asked(server, monkeypatch):
    """Ask a service on this machine. Returns what it answered."""
    monkeypatch.setenv("NETRC", __file__)  # which is none

    def post(body="{}", *, fields=(), headers=(), **answer):
        server.answer("/v1/it", body, **answer)
        return rest.post(f"{server.url}/v1/it", dict(fields), dict(headers))

    return post


class Response:
    """A service's answer of one long piece after the other.

    Attributes:
        read: How many were asked for.
    """

    status_code, read = 200, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def iter_content(self, size):
        assert size == 8192
        for _ in range(100):
            self.read += 1
            yield b" " * size


@pytest.fixture
def sent(monkeypatch):
    """Take a request where the library would send it. What it was made with, and its session."""
    found = []
    response = Response()

    def post(session, url, **settings):
        found.append((session, settings, response))
        return response

    monkeypatch.setattr("requests.Session.post", post)
    return found


def test_service_on_loopback_in_clear_is_asked_through_no_proxy(server, monkeypatch):
    """As an agent of Vault's is: a proxy would read its token, and the key that it unwraps."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    server.answer("/v1/transit/decrypt/k", '{"data": {"plaintext": "x"}}')
    assert rest.post(f"{server.url}/v1/transit/decrypt/k", {}, {"X-Vault-Token": "dose-of-salts"}).status == 200


def test_object_goes_and_comes_as_json(asked, server):
    answer = asked('{"b": 2}', fields={"a": 1}, headers={"X-Vault-Token": "dose-of-salts"})
    assert answer == (200, {"b": 2})
    (request,) = server.asked
    assert (request.method, json.loads(request.body)) == ("POST", {"a": 1})
    assert request.headers["Accept"] == request.headers["Content-Type"] == "application/json"
    assert request.headers["X-Vault-Token"] == "dose-of-salts"
    assert "Authorization" not in request.headers
    assert repr(answer) == "Answer(HTTP 200)"


@pytest.mark.parametrize("body", ["", "{", "[1]", "null", " " * (256 * 1024 - 7) + '{"a": 1}'])
def test_what_is_no_object_or_too_long_is_an_answer_without_fields(asked, body):
    assert asked(body) == (200, {})


def test_answer_as_long_as_may_be_is_read(asked):
    assert asked(" " * (256 * 1024 - 8) + '{"a": 1}') == (200, {"a": 1})


def test_redirect_is_an_answer_and_not_followed(asked, server):
    assert asked(status=302, Location=f"{server.url}/elsewhere").status == 302
    assert len(server.asked) == 1


def test_loggers_that_came_with_the_library_are_filtered(sent, filtered):
    rest.post("https://kms.example.org/", {}, {})
    assert len(filtered) == 1


def test_flood_is_cut_off(sent):
    assert rest.post("https://kms.example.org/", {}, {}) == (200, {})
    assert sent[0][2].read == 33  # of 8 KiB: the first beyond 256 KiB


def test_request_is_bounded_and_sends_nothing_but_what_it_is_given(sent):
    rest.post("https://kms.example.org/", {}, {}, certificate=("mine.pem", "mine.key"))
    session, settings, _ = sent[0]
    assert session.trust_env  # a proxy of the environment counts for TLS
    assert settings["timeout"] == (5.0, 10.0)
    assert settings["stream"] is True
    assert settings["allow_redirects"] is False
    assert settings["cert"] == ("mine.pem", "mine.key")
    assert settings["auth"]("request") == "request"
    assert session.get_redirect_target("any") is None
    rest.post("http://127.0.0.1/", {}, {})
    assert not sent[1][0].trust_env


@pytest.mark.parametrize(
    ("environ", "ca", "trust"),
    [
        ({}, None, True),
        ({"SSL_CERT_FILE": "system.pem"}, None, "system.pem"),
        ({"REQUESTS_CA_BUNDLE": "bundle.pem", "SSL_CERT_FILE": "system.pem"}, None, "bundle.pem"),
        ({"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": "curl.pem"}, None, "curl.pem"),
        ({"REQUESTS_CA_BUNDLE": "bundle.pem"}, "ours.pem", "ours.pem"),
    ],
)
def test_own_bundle_goes_before_those_of_the_environment(sent, monkeypatch, environ, ca, trust):
    for name in rest._CA_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    rest.post("https://kms.example.org/", {}, {}, ca=ca)
    assert sent[0][1]["verify"] == trust


@pytest.mark.parametrize("kind", [OSError, ValueError])
def test_request_that_fails_is_told_by_the_name_of_its_error(monkeypatch, trouble, kind):
    def post(*_, **__):
        raise kind("dose-of-salts")

    monkeypatch.setattr("requests.Session.post", post)
    told = trouble(rest.post, "https://kms.example.org/", {}, {})
    assert told == (Kind.AWAY, kind.__name__, "")


@pytest.mark.parametrize("url", ["http://kms.example.org/", "ftp://127.0.0.1/", "https", "", "http://[/"])
def test_address_that_would_send_a_key_in_clear_is_refused(sent, trouble, url):
    told = trouble(rest.post, url, {}, {})
    assert told == (Kind.UNUSABLE, "not an https:// address", "use an https:// address; http only to loopback")
    assert sent == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (199, Kind.AWAY), (200, None), (299, None), (300, Kind.AWAY), (399, Kind.AWAY), (400, None), (428, None),
        (429, Kind.THROTTLED), (430, None), (499, None), (500, Kind.AWAY), (599, Kind.AWAY),
    ],
)  # fmt: skip
def test_status_that_every_service_means_alike_is_trouble(status, kind):
    found = Answer(status, {}).trouble()
    assert (found and (found.kind, found.detail)) == (kind and (kind, f"HTTP {status}"))


@pytest.mark.parametrize("fields", [{}, {"name": ""}, {"name": 1}])
def test_text_that_is_not_there_is_trouble(trouble, fields):
    assert rest.text_of({"name": "it"}, "name") == "it"
    assert trouble(rest.text_of, fields, "name") == (Kind.AWAY, "an answer without name", "")


@pytest.mark.parametrize("before", [" ", "\t", "\x01", "\n"])
def test_address_in_clear_behind_a_blank_is_refused_as_it_would_go_through_a_proxy(before):
    with pytest.raises(KmsTrouble, match="not an https:// address"):
        rest.require_secure(f"{before}http://127.0.0.1:1/x")


def test_answer_is_refused_for_what_every_service_means_alike_before_its_own_codes(trouble):
    def refusal(answer):
        return KmsTrouble(Kind.DENIED, "theirs") if answer.status >= 403 else None

    assert Answer(200, {"name": "it"}).checked(refusal) == {"name": "it"}
    assert trouble(Answer(403, {}).checked, refusal) == (Kind.DENIED, "theirs", "")
    assert trouble(Answer(429, {}).checked, refusal) == (Kind.THROTTLED, "HTTP 429", "")
