"""Threads at one strategy of the SDK, and foreign code that asks for a header in the midst of it: every wait ends."""

import http.server
import json
import logging
import os
import threading
import time

import pytest

import lakekey
from lakekey import LakekeyError, LockTimeout
from lakekey.configuration.target import resolve
from lakekey.providers.sdk_strategy import SdkStrategy

PATIENCE = 60.0


class MetadataServer:
    """The metadata service of a tool that signs in for others.

    Attributes:
        asked: How often it was asked for a token.
        lifetime: Seconds that its tokens live.
        go_on: While it is cleared, the first request waits.
        has_come: Set with the first request.
        status: What it answers.
    """

    def __init__(self):
        self.asked = 0
        self.lifetime = 3000
        self.status = 200
        self.go_on, self.has_come = threading.Event(), threading.Event()
        self.go_on.set()
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                service.asked += 1
                number = service.asked
                if number == 1:
                    service.has_come.set()
                    service.go_on.wait(PATIENCE)
                expiry = int(time.time()) + service.lifetime
                answer = {"access_token": f"token {number}", "token_type": "Bearer", "expires_on": expiry}
                body = json.dumps(answer).encode()
                self.send_response(service.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/token"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self):
        self.go_on.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def service():
    service = MetadataServer()
    yield service
    service.close()


@pytest.fixture
def provider(lakekey_environment, service):
    return lakekey.provider(metadata_service_url=service.url)


class AsksAgain(logging.Handler):
    """A handler that asks for a header with each record, as one that ships records to the workspace would."""

    def __init__(self, ask):
        super().__init__(logging.DEBUG)
        self.ask = ask
        self.got = []

    def handle(self, record):
        try:
            self.got.append(self.ask()["Authorization"])
        except LakekeyError as error:
            self.got.append(type(error))


@pytest.fixture
def log_handler():
    """Adds a handler for the SDK's records and those of its HTTP library."""
    loggers = [logging.getLogger(name) for name in ("databricks.sdk", "urllib3.connectionpool")]
    added = []

    def add(handler):
        added.append(handler)
        for logger in loggers:
            logger.setLevel(logging.DEBUG)
            logger.addHandler(handler)
        return handler

    yield add
    for logger in loggers:
        logger.setLevel(logging.NOTSET)
        for handler in added:
            logger.removeHandler(handler)


def in_a_thread(work):
    """What the work returned; a thread that waits for itself fails the test and does not hang it."""
    results = []

    def run():
        try:
            results.append(work())
        except LakekeyError as error:
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive(), "it waits for itself"
    return results[0]


def test_log_handler_that_asks_while_the_strategy_is_built_gets_an_error_at_once(provider, service, log_handler):
    handler = log_handler(AsksAgain(provider.headers))
    assert in_a_thread(provider.headers) == {"Authorization": "Bearer token 1"}
    assert LockTimeout in handler.got
    assert set(handler.got) <= {LockTimeout, "Bearer token 1"}
    assert service.asked == 1


def test_log_handler_that_asks_while_the_sdk_renews_gets_an_error_at_once(provider, service, log_handler):
    service.lifetime = 5  # which the SDK counts as over, so it asks each time
    in_a_thread(provider.headers)
    before = service.asked
    handler = log_handler(AsksAgain(provider.headers))
    assert in_a_thread(provider.headers)["Authorization"] == f"Bearer token {before + 1}"
    assert set(handler.got) == {LockTimeout}


def test_log_handler_that_asks_inside_the_sdks_own_call_gets_an_error_at_once(provider, service, log_handler):
    service.lifetime = 5
    client = in_a_thread(lambda: lakekey.sdk.config(provider))
    handler = log_handler(AsksAgain(provider.headers))
    assert in_a_thread(client.authenticate)["Authorization"].startswith("Bearer token ")
    assert set(handler.got) == {LockTimeout}


def test_threads_share_one_attempt_to_build_the_strategy(provider, service):
    service.go_on.clear()
    got = []
    crowd = [threading.Thread(target=lambda: got.append(provider.headers()), daemon=True) for _ in range(8)]
    for thread in crowd:
        thread.start()
    assert service.has_come.wait(PATIENCE)
    service.go_on.set()
    for thread in crowd:
        thread.join(PATIENCE)
    assert got == [{"Authorization": "Bearer token 1"}] * 8
    assert service.asked == 1


def test_thread_that_waits_for_another_ones_attempt_gives_up_after_its_patience(service, lakekey_environment):
    source = SdkStrategy(resolve(metadata_service_url=service.url), patience=0.2)
    service.go_on.clear()
    first = threading.Thread(target=source.headers, daemon=True)
    first.start()
    assert service.has_come.wait(PATIENCE)
    error = in_a_thread(source.headers)
    assert isinstance(error, LockTimeout)
    service.go_on.set()
    first.join(PATIENCE)
    assert in_a_thread(source.headers)["Authorization"].startswith("Bearer token ")


class Struck(BaseException):
    """What interrupts a thread."""


def test_interrupted_attempt_leaves_nothing_locked(provider, log_handler):
    class Strikes(logging.Handler):
        struck = False

        def handle(self, record):
            if not self.struck:
                self.struck = True
                raise Struck

    log_handler(Strikes())
    with pytest.raises(Struck):
        provider.headers()
    assert in_a_thread(provider.headers)["Authorization"].startswith("Bearer token ")


@pytest.mark.fork
def test_child_that_was_forked_during_an_attempt_makes_its_own(provider, service):
    service.go_on.clear()
    builder = threading.Thread(target=provider.headers, daemon=True)
    builder.start()
    assert service.has_come.wait(PATIENCE)
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if provider.headers()["Authorization"] == "Bearer token 2" else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    service.go_on.set()
    builder.join(PATIENCE)
    assert provider.headers() == {"Authorization": "Bearer token 1"}


def test_refused_token_of_a_strategy_is_replaced_once_for_all_threads(provider, service):
    refused = provider.token().access_token
    answers = [in_a_thread(lambda: provider.invalidate(refused)) for _ in range(3)]
    assert answers == [True] * 3
    assert service.asked == 2
