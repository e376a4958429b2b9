"""The token endpoint fails: what the caller is told, what is tried again, and that nothing stored is lost by it."""

import itertools
import logging
import socket
import threading
import time
from contextlib import ExitStack

import pytest

from lakekey import CredentialsRefused, LoginRequired, TokenEndpointError
from lakekey.session import entry_queue, renewal
from support.inside import session_of
from support.servers.odd_server import OddServer
from support.sessions import QUICK, Machine
from support.tls import write_certificates
from support.waiting import until

pytestmark = pytest.mark.usefixtures("unattended")

ATTEMPTS = 4
THROTTLED = {"error": "invalid_request", "error_description": "Temporarily throttled, too many requests"}
BEARER = {"access_token": "t", "token_type": "Bearer", "expires_in": 3600}


@pytest.fixture
def machine(oidc_server, tmp_path):
    """A machine whose session has an expired access token, and short pauses."""
    machine = Machine(oidc_server, tmp_path / "cache", timing=QUICK)
    machine.sign_in()
    oidc_server.reset()
    return machine


def tokens_of(entry):
    return entry._replace(generation=0, failure=None)


def assert_recovers(machine, provider, before):
    """Nothing that was stored is lost or changed, and the next call works."""
    assert tokens_of(machine.stored()) == tokens_of(before)
    machine.server.clear_faults()
    assert provider.headers()["Authorization"] == f"Bearer {machine.stored().access_token}"
    machine.assert_session_is_whole()
    assert machine.stored().failure is None


# What a later request may get right


RETRIED = {
    "429": ("status", {"status": 429, "body": {"error": "slow_down"}}),
    "408": ("status", {"status": 408}),
    "500": ("status", {"status": 500, "body": {"error": "server_error"}}),
    "503": ("status", {"status": 503}),
    "throttled": ("status", {"status": 400, "body": THROTTLED}),
    "a page with 503": ("html", {"status": 503}),
    "a page with 200": ("html", {"status": 200}),
    "garbage": ("garbage", {}),
    "empty": ("empty", {}),
    "truncated": ("truncated", {}),
    "hung up": ("drop", {}),
    "reset": ("reset", {}),
}


@pytest.mark.parametrize("name", RETRIED)
def test_a_failure_that_may_pass_is_tried_again_and_costs_nothing(machine, name):
    kind, options = RETRIED[name]
    before, provider = machine.stored(), machine.provider()
    with machine.server.fault("token", kind, times=None, **options), pytest.raises(TokenEndpointError) as caught:
        provider.headers()
    assert machine.token_requests() == ATTEMPTS
    assert caught.value.status == options.get("status", 200 if kind in ("garbage", "empty") else None)
    assert before.refresh_token not in str(caught.value)
    assert_recovers(machine, provider, before)


@pytest.mark.parametrize("name", RETRIED)
def test_a_failure_that_passes_goes_unnoticed(machine, name):
    kind, options = RETRIED[name]
    machine.server.fault("token", kind, times=ATTEMPTS - 1, **options)
    assert machine.provider().headers()
    assert machine.token_requests() == ATTEMPTS
    machine.assert_session_is_whole()


# What it does not


NOT_RETRIED = {
    "404": ("status", {"status": 404, "body": {"error": "not_found"}}),
    "a page with 404": ("html", {"status": 404}),
    "an error of its own": ("status", {"status": 400, "body": {"error": "out_of_cheese"}}),
    "oversized": ("oversized", {"size": 2_000_000}),
    "no token": ("status", {"status": 200, "body": {}}),
    "another kind of token": ("status", {"status": 200, "body": {**BEARER, "token_type": "mac"}}),
    "a token with a line break": ("status", {"status": 200, "body": {**BEARER, "access_token": "a\r\nX-Admin: yes"}}),
}


@pytest.mark.parametrize("name", NOT_RETRIED)
def test_an_answer_that_will_be_the_same_in_a_moment_is_asked_for_once(machine, name):
    kind, options = NOT_RETRIED[name]
    before, provider = machine.stored(), machine.provider()
    with machine.server.fault("token", kind, times=None, **options), pytest.raises(TokenEndpointError):
        provider.headers()
    assert machine.token_requests() == 1
    assert_recovers(machine, provider, before)


@pytest.mark.parametrize("error", ["invalid_client", "unauthorized_client", "invalid_scope", "invalid_request"])
def test_refused_credentials_are_reported_and_not_tried_again(machine, error):
    before, provider = machine.stored(), machine.provider()
    body = {"error": error, "error_description": f"no: {before.refresh_token}"}
    with (
        machine.server.fault("token", "status", status=400, body=body, times=None),
        pytest.raises(CredentialsRefused, match=error) as caught,
    ):
        provider.headers()
    assert caught.value.error == error
    assert before.refresh_token not in str(caught.value), "the server's echo of a secret is not passed on"
    assert machine.token_requests() == 1
    assert_recovers(machine, provider, before)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(machine, status):
    before, provider = machine.stored(), machine.provider()
    elsewhere = f"{machine.server.host}/elsewhere"
    with (
        machine.server.fault("token", "status", status=status, headers={"location": elsewhere}, times=None),
        pytest.raises(TokenEndpointError) as caught,
    ):
        provider.headers()
    assert caught.value.status == status
    assert machine.token_requests() == 1
    assert machine.server.log("other") == [], "the refresh token was sent on"
    assert_recovers(machine, provider, before)


@pytest.mark.parametrize(
    "edit", [{"set": {"token_type": "mac"}}, {"remove": ["access_token"]}, {"set": {"access_token": "a\nb"}}]
)
def test_a_refresh_token_is_kept_though_its_access_token_is_unusable(machine, edit):
    """The server has spent the old one: to throw its successor away with the rest would end the session."""
    before, provider = machine.stored(), machine.provider()
    fault = machine.server.fault("token", "edit", **edit)
    with fault, pytest.raises(TokenEndpointError, match="no bearer token") as caught:
        provider.headers()
    assert not caught.value.retryable  # the next attempt spends another token
    machine.assert_session_is_whole()
    assert machine.stored().refresh_token != before.refresh_token
    assert machine.stored().access_token == before.access_token
    assert provider.headers()
    assert machine.token_requests() == 2
    machine.assert_session_is_whole()


@pytest.mark.parametrize(
    ("edit", "lifetime"),
    [
        ({"remove": ["expires_in"]}, 300),
        ({"set": {"expires_in": "soon"}}, 300),
        ({"set": {"expires_in": -3600}}, 300),
        ({"set": {"expires_in": 0}}, 300),
        ({"set": {"expires_in": None}}, 300),
        ({"set": {"expires_in": 10**15}}, 86400),
        ({"set": {"expires_in": "1800"}}, 1800),
    ],
)
def test_a_nonsensical_lifetime_neither_loses_the_answer_nor_makes_every_call_a_request(machine, edit, lifetime):
    provider = machine.provider()
    machine.server.fault("token", "edit", times=None, **edit)
    headers = [provider.headers() for _ in range(5)]
    assert machine.provider().headers() == headers[0], "another process serves it from the cache"
    assert len({header["Authorization"] for header in headers}) == 1
    assert machine.token_requests() == 1
    entry = machine.stored()
    assert round(entry.expires_at - entry.issued_at) == lifetime
    machine.assert_session_is_whole()


# The way there


def retries(caplog):
    return [record for record in caplog.records if "again in" in record.getMessage()]


def test_a_refused_connection_is_tried_again(machine, caplog):
    caplog.set_level(logging.DEBUG, "lakekey.session")
    before, provider = machine.stored(), machine.provider()
    with machine.server.offline(), pytest.raises(TokenEndpointError, match=r"cannot reach .*refused") as caught:
        provider.headers()
    assert caught.value.status is None
    assert len(retries(caplog)) == ATTEMPTS - 1
    assert_recovers(machine, provider, before)


def test_a_name_that_is_not_found_is_tried_again(machine, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG, "lakekey.session")
    before, provider = machine.stored(), machine.provider()

    def no_such_name(*_, **__):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", no_such_name)
        with pytest.raises(TokenEndpointError, match=r"cannot reach .*name resolution"):
            provider.headers()
    assert len(retries(caplog)) == ATTEMPTS - 1
    assert_recovers(machine, provider, before)


def test_a_certificate_of_an_unknown_authority_is_not_tried_again(machine, tmp_path, caplog):
    caplog.set_level(logging.DEBUG, "lakekey.session")
    before = machine.stored()
    other = tmp_path / "other"
    other.mkdir()
    stranger = machine.provider(ca_file=str(write_certificates(other).ca))
    with pytest.raises(TokenEndpointError, match=r"TLS with .*certificate verify failed") as caught:
        stranger.headers()
    assert "ca_file" in caught.value.hint
    assert retries(caplog) == []
    assert machine.token_requests() == 0
    assert_recovers(machine, machine.provider(), before)


def test_a_host_that_does_not_accept_connections_is_given_up_in_time(machine):
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):  # the queue of those who wait to be accepted is full: further ones get no answer
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        dead = Machine(machine.server, machine.directory, host=f"https://127.0.0.1:{listener.getsockname()[1]}")
        before = dead.store(left=-60, refresh_token="kept")
        began = time.monotonic()
        with pytest.raises(TokenEndpointError, match="did not answer in time"):
            dead.provider(timing=QUICK._replace(exchange_deadline=1.0)).headers()
        assert time.monotonic() - began < 5
        assert tokens_of(dead.stored()) == tokens_of(before)


def test_an_answer_that_does_not_come_is_given_up_in_time(machine):
    before, provider = machine.stored(), machine.provider(timing=QUICK._replace(exchange_deadline=0.8))
    with (
        machine.server.fault("token", "hang", times=None),
        pytest.raises(TokenEndpointError, match="did not answer in time"),
    ):
        provider.headers()
    assert machine.token_requests() == 1  # sent again, a refresh token that was spent would end the session
    assert_recovers(machine, machine.provider(), before)


def test_discovery_that_does_not_answer_counts_against_the_same_deadline(machine):
    """Otherwise a holder would keep the lock for longer than the others wait for it."""
    before, provider = machine.stored(), machine.provider(timing=QUICK._replace(exchange_deadline=0.8))
    began = time.monotonic()
    with (
        machine.server.fault("config", "hang", times=None),
        machine.server.fault("discovery", "hang", times=None),
        pytest.raises(TokenEndpointError, match="did not answer in time"),
    ):
        provider.headers()
    assert time.monotonic() - began < 6
    assert machine.token_requests() == 0
    assert_recovers(machine, machine.provider(), before)


@pytest.mark.parametrize(
    "begin",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: https://[/\r\nContent-Length: 100000\r\n\r\n",
    ],
    ids=["status line", "headers", "body", "chunk", "body until it closes", "redirect"],
)
def test_an_answer_that_drips_is_given_up_in_time(machine, begin):
    with OddServer(lambda connection: server.drip(connection, begin)) as server:
        slow = Machine(machine.server, machine.directory, host=server.host)
        before = slow.store(left=-60, refresh_token="kept")
        began = time.monotonic()
        with pytest.raises(TokenEndpointError):
            slow.provider(timing=QUICK._replace(exchange_deadline=0.8)).headers()
        assert time.monotonic() - began < 6
    assert tokens_of(slow.stored()) == tokens_of(before)


def test_nothing_is_sent_once_the_deadline_is_over(machine, monkeypatch):
    """Looking up a name has no bound of its own; a token spent after it would be spent in vain."""
    provider = machine.provider(timing=QUICK._replace(exchange_deadline=0.2))
    session_of(provider).renewal._grant.prepare()
    before = machine.stored()
    look_up = socket.getaddrinfo

    def slowly(*arguments, **named):
        time.sleep(0.5)
        return look_up(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", slowly)
        with pytest.raises(TokenEndpointError, match="did not answer in time"):
            provider.headers()
    assert machine.token_requests() == 0
    assert_recovers(machine, machine.provider(), before)


def test_a_resolver_that_does_not_answer_is_given_up_at_the_deadline(machine, monkeypatch):
    provider = machine.provider(timing=QUICK._replace(exchange_deadline=0.3))
    session_of(provider).renewal._grant.prepare()
    before, silent = machine.stored(), threading.Event()

    def never(*arguments, **named):
        silent.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", never)
        began = time.monotonic()
        with pytest.raises(TokenEndpointError, match="did not answer in time"):
            provider.headers()
        assert time.monotonic() - began < 10
    silent.set()
    assert machine.token_requests() == 0
    assert_recovers(machine, machine.provider(), before)


@pytest.mark.parametrize("content_type", ["text/plain", "text/html", "text/javascript", ""])
@pytest.mark.parametrize("status", [200, 201])
def test_tokens_under_another_label_are_taken(machine, content_type, status):
    spent = machine.stored().refresh_token
    with machine.server.fault("token", "edit", processed=True, status=status, headers={"content-type": content_type}):
        assert machine.provider().headers()
    assert machine.token_requests() == 1
    assert machine.server.token_state(spent) == "consumed"
    machine.assert_session_is_whole()


# Pauses


def test_a_pause_that_the_server_asks_for_is_made(machine):
    machine.server.fault("token", "status", status=429, headers={"retry-after": "1"})
    assert machine.provider().headers()
    first, second = machine.server.log("token")
    assert 1.0 <= second["time"] - first["time"] < 10


def test_a_pause_beyond_the_deadline_is_reported_to_the_caller_instead(machine):
    before, provider = machine.stored(), machine.provider()
    with (
        machine.server.fault("token", "status", status=503, headers={"retry-after": "3600"}, times=None),
        pytest.raises(TokenEndpointError) as caught,
    ):
        provider.headers()
    assert (caught.value.status, caught.value.retry_after) == (503, 3600.0)
    assert machine.token_requests() == 1
    assert_recovers(machine, provider, before)


def test_pauses_grow_and_are_of_no_fixed_length(machine, caplog):
    caplog.set_level(logging.DEBUG, "lakekey.session")
    provider = machine.provider()
    with machine.server.fault("token", "status", status=503, times=None):
        for _ in range(2):
            with pytest.raises(TokenEndpointError):
                provider.headers()
    pauses = [record.args[-1] for record in retries(caplog)]
    assert len(pauses) == len(set(pauses)) == 2 * (ATTEMPTS - 1)
    for number, pause in zip(itertools.cycle(range(ATTEMPTS - 1)), pauses, strict=False):
        assert 0.5 <= pause / (0.01 * 2**number) <= 1.5


# While the current token lives


@pytest.fixture
def stale(machine):
    """A machine whose token is stale but lives; providers look for a newer one at every call."""
    machine.store(left=600, access_token="alive", refresh_token=machine.stored().refresh_token)
    machine.timing = QUICK._replace(stale_pause=0.001)
    return machine


def failures_of(machine):
    """The times of the failures that are noted, each as it appears."""
    seen = 0.0
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        failure = machine.stored().failure
        if failure is not None and failure.at > seen:
            seen = failure.at
            yield seen
        yield None
    raise AssertionError("no failure was noted in 20 s")


def test_the_current_token_is_served_and_the_failure_is_logged_once(stale, caplog):
    provider = stale.provider(timing=stale.timing._replace(early_pause=0.0))
    noted = 0
    with stale.server.fault("token", "status", status=503, times=None):
        for failure in failures_of(stale):
            assert provider.headers() == {"Authorization": "Bearer alive"}
            noted += failure is not None
            if noted == 3:
                break
    ours = [record for record in caplog.records if record.name.startswith("lakekey.")]
    warnings = [record for record in ours if record.levelno >= logging.WARNING]
    assert [record.name for record in warnings] == ["lakekey.provider"]
    assert "cannot renew ahead of time" in warnings[0].getMessage()
    assert tokens_of(stale.stored()).access_token == "alive"


def test_a_try_ahead_of_time_is_one_request(stale):
    provider = stale.provider()
    with stale.server.fault("token", "status", status=503, times=None):
        for failure in failures_of(stale):
            provider.headers()
            if failure is not None:
                break
    assert stale.token_requests() == 1


def test_a_pause_that_the_server_asked_for_holds_back_the_tries_ahead_of_time_of_all_processes(stale):
    stale.timing = stale.timing._replace(early_pause=0.0)
    provider = stale.provider()
    with stale.server.fault("token", "status", status=429, headers={"retry-after": "600"}):
        for failure in failures_of(stale):
            provider.headers()
            if failure is not None:
                break
    assert stale.stored().failure.retry_after == 600.0
    for early in list(renewal._early_flights._running.values()):
        assert early.finished.wait(20)  # what joins the try that has just been noted is told of the same failure
    assert session_of(stale.provider()).renewal.early("alive") is None
    assert stale.token_requests() == 1


# Siblings


def test_processes_that_waited_do_not_repeat_a_request_that_failed(machine):
    with machine.server.fault("token", "status", status=503, body={"error": "server_error"}, times=None):
        ends = machine.ends_of_a_queue(3)
    assert [end["error"] for end in ends] == ["TokenEndpointError"] * 3, ends
    assert machine.token_requests() == ATTEMPTS
    assert machine.provider().headers()
    machine.assert_session_is_whole()


def test_threads_that_waited_do_not_repeat_a_request_that_failed(machine):
    provider = machine.provider()
    errors = []

    def ask():
        try:
            provider.headers()
        except TokenEndpointError as error:
            errors.append(error)

    with machine.server.fault("token", "status", status=503, times=None), machine.server.hold("token") as hold:
        first = threading.Thread(target=ask)
        first.start()
        hold.wait()
        threads = [first, *(threading.Thread(target=ask) for _ in range(7))]
        for thread in threads[1:]:
            thread.start()
        (flight,) = entry_queue._flights._running.values()
        until(lambda: len(flight.waiters) == len(threads))
        hold.release()
        for thread in threads:
            thread.join()
    assert len(errors) == len(threads)
    assert len({id(error) for error in errors}) == len(threads), "each has an exception of its own"
    assert {error.status for error in errors} == {503}
    assert machine.token_requests() == ATTEMPTS


def test_a_refusal_is_not_mistaken_for_a_passing_failure(machine):
    machine.server.revoke_all()
    with pytest.raises(LoginRequired):
        machine.provider().headers()
    assert machine.token_requests() == 1


def test_a_sign_out_that_waited_is_not_told_of_a_refresh_that_failed(machine):
    renewing, leaving = machine.provider(), machine.provider()
    outcomes = []

    def ask():
        try:
            renewing.headers()
        except TokenEndpointError as error:
            outcomes.append(error)

    with machine.server.fault("token", "status", status=503, times=None), machine.server.hold("token") as hold:
        first = threading.Thread(target=ask)
        first.start()
        hold.wait()
        second = threading.Thread(target=lambda: outcomes.append(leaving.logout()))
        second.start()
        until(lambda: renewal._sign_outs._running)
        hold.release()
        first.join()
        second.join()
    assert {type(outcome) for outcome in outcomes} == {TokenEndpointError, bool}
    assert machine.cache.list() == []
