"""OpenTelemetry, where it is switched on: a span and a count for what happens, and never anything secret or personal."""

import asyncio
import os
import re
import threading
import time
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from lakekey import CredentialsRefused, LoginDenied, LoginRequired, TokenEndpointError
from lakekey.errors import LockTimeout
from lakekey.session import wait_notice
from lakekey.session.keep_alive import keep_alive
from lakekey.session.timing import Timing
from support import secret_scan
from support.exported import Exported
from support.waiting import until

ATTEMPTS = 4


@pytest.fixture(scope="session")
def sdk():
    return Exported()


@pytest.fixture
def exported(sdk, monkeypatch):
    """What is exported. All of it is a place where no secret of the run may show, and the person's name neither."""
    monkeypatch.setenv("LAKEKEY_OTEL", "1")
    sdk.forget()
    yield sdk
    sdk.spans()
    assert "lakekey.entry_id" in sdk.text
    assert "ada@example.com" not in sdk.text
    secret_scan.exported(sdk.text)


@pytest.fixture
def machine(attended_machine):
    return attended_machine


def about(machine, **more):
    port = int(machine.server.host.rpartition(":")[2])
    return {
        "server.address": "127.0.0.1", "server.port": port, "lakekey.auth_type": machine.target.auth_type,
        "lakekey.entry_id": machine.entry_id[:12], **more,
    }  # fmt: skip


def test_a_refresh(unwatched, exported):
    unwatched.provider().headers()
    span = exported.span("lakekey.refresh")
    assert dict(span.attributes) == about(unwatched, **{"lakekey.outcome": "refreshed"})
    assert (span.kind, span.status.status_code) == (SpanKind.CLIENT, StatusCode.UNSET)
    assert exported.counts() == {"lakekey.refreshes": 1}


def test_a_service_principals_token(service, exported):
    service.provider().headers()
    assert exported.span("lakekey.refresh").attributes["lakekey.auth_type"] == "oauth-m2m"
    assert exported.counts() == {"lakekey.refreshes": 1}


def test_the_duration_of_an_exchange_in_seconds(unwatched, exported):
    unwatched.server.fault("token", "delay", seconds=0.3)
    unwatched.provider().headers()
    (point,) = exported.points("lakekey.exchange.duration")
    assert point.count == 1
    assert 0.3 <= point.sum < 20
    assert point.explicit_bounds[0] == 0.005
    span = exported.span("lakekey.refresh")
    assert 0.3 <= (span.end_time - span.start_time) / 1e9 < 20
    assert "lakekey.entry_id" not in point.attributes
    assert point.attributes["lakekey.outcome"] == "refreshed"


def test_the_profile_is_named(unwatched, exported, tmp_path, monkeypatch):
    config = tmp_path / "databrickscfg"
    config.write_text(f"[nightly]\nhost = {unwatched.server.host}\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(config))
    from lakekey.configuration.target import resolve
    from lakekey.providers.provider import Provider

    place = {"ca_file": unwatched.server.ca_file, "store": f"file:{unwatched.directory}"}
    Provider(resolve("nightly", os.environ, **place)).headers()
    assert exported.span("lakekey.refresh").attributes["lakekey.profile"] == "nightly"
    (point,) = exported.points("lakekey.refreshes")
    assert point.attributes["lakekey.profile"] == "nightly"


def test_a_refresh_is_a_part_of_what_the_caller_has_under_way(unwatched, exported):
    with trace.get_tracer("the caller").start_as_current_span("a query") as query:
        unwatched.provider().headers()
        assert trace.get_current_span() is query
    span = exported.span("lakekey.refresh")
    assert span.parent.span_id == query.get_span_context().span_id
    assert span.context.trace_id == query.get_span_context().trace_id


def test_a_refresh_for_a_coroutine_is_a_part_of_what_it_has_under_way(unwatched, exported):
    async def ask():
        with trace.get_tracer("the caller").start_as_current_span("a query") as query:
            await unwatched.provider().atoken()
            return query

    query = asyncio.run(ask())
    assert exported.span("lakekey.refresh").parent.span_id == query.get_span_context().span_id


def test_a_login(machine, exported):
    machine.provider().login()
    span = exported.span("lakekey.login")
    assert dict(span.attributes) == about(machine, **{"lakekey.outcome": "signed_in"})
    assert exported.counts() == {"lakekey.logins": 1}


def test_a_login_that_the_person_declines(machine, exported, monkeypatch):
    monkeypatch.setenv("BROWSER", machine.server.browser(decline=True).removesuffix(" &"))
    with pytest.raises(LoginDenied):
        machine.provider().login()
    span = exported.span("lakekey.login")
    assert (span.attributes["lakekey.outcome"], span.attributes["error.type"]) == ("failed", "login_denied")
    assert span.status.status_code == StatusCode.ERROR
    assert exported.counts() == {"lakekey.failures": 1}


def test_a_token_that_another_process_fetches_meanwhile(unwatched, exported):
    with unwatched.server.hold("token") as hold, unwatched.child("asks_once", LAKEKEY_OTEL="0") as sibling:
        hold.wait()
        asking = threading.Thread(target=unwatched.provider(timing=Timing(wait_notice=0.0)).headers)
        asking.start()
        until(lambda: wait_notice._told)
        hold.release()
        assert sibling.result()["ok"]
        asking.join()
    assert dict(exported.span("lakekey.wait").attributes) == about(unwatched, **{"lakekey.outcome": "adopted"})
    assert exported.spans("lakekey.refresh") == []
    assert exported.counts() == {"lakekey.adoptions": 1}


def test_a_wait_after_which_it_is_our_turn(unwatched, exported):
    with unwatched.server.hold("token") as hold, unwatched.child("asks_once", LAKEKEY_OTEL="0") as sibling:
        hold.wait()
        asking = threading.Thread(target=unwatched.provider(timing=Timing(wait_notice=0.0)).headers)
        asking.start()
        until(lambda: wait_notice._told)
        hold.release(1, drop=True)  # whatever the sibling had sent never reached the server
        sibling.kill()
        hold.release()
        asking.join()
    assert exported.span("lakekey.wait").attributes["lakekey.outcome"] == "lock"
    assert exported.span("lakekey.wait").end_time <= exported.span("lakekey.refresh").start_time
    assert exported.counts() == {"lakekey.refreshes": 1}


def test_a_wait_without_end(unwatched, exported):
    with unwatched.server.hold("token") as hold, unwatched.child("asks_once", LAKEKEY_OTEL="0"):
        hold.wait()
        with pytest.raises(LockTimeout):
            unwatched.provider(lock_timeout=0.05).headers()
    span = exported.span("lakekey.wait")
    assert (span.attributes["lakekey.outcome"], span.attributes["error.type"]) == ("failed", "lock_timeout")
    assert exported.counts() == {"lakekey.failures": 1}


def test_a_token_that_a_sibling_stored_before(unwatched, exported):
    provider = unwatched.provider()
    held = provider.token().access_token
    with unwatched.child("asks_once", "again") as sibling:
        assert sibling.result()["ok"]
    exported.forget()
    provider.invalidate(held)
    assert provider.token().access_token != held
    assert exported.counts() == {"lakekey.adoptions": 1}
    assert exported.spans() == []
    adopted = provider.token().access_token
    provider.served(adopted)  # else it is on trial, and kept
    provider.invalidate(adopted)


def test_a_refresh_token_that_the_server_refuses(unwatched, exported):
    unwatched.server.revoke_all()
    with pytest.raises(LoginRequired):
        unwatched.provider().headers()
    span = exported.span("lakekey.refresh")
    assert (span.attributes["lakekey.outcome"], span.attributes["error.type"]) == ("refused", "invalid_grant")
    assert exported.counts() == {"lakekey.refusals": 1}


def test_a_client_that_the_server_refuses(service, exported):
    with pytest.raises(CredentialsRefused):
        service.provider(client_secret="dose-another-secret").headers()
    span = exported.span("lakekey.refresh")
    assert (span.attributes["lakekey.outcome"], span.attributes["error.type"]) == ("refused", "credentials_refused")
    assert span.status.status_code == StatusCode.ERROR
    assert (span.status.description, span.events) == (None, ())  # an error's text may name the person
    assert exported.counts() == {"lakekey.refusals": 1}
    (point,) = exported.points("lakekey.refusals")
    assert point.attributes["error.type"] == "credentials_refused"


def test_an_endpoint_in_trouble_is_one_failure_of_several_requests(unwatched, exported):
    with unwatched.server.fault("token", "status", status=503, times=None), pytest.raises(TokenEndpointError):
        unwatched.provider().headers()
    spans = exported.spans("lakekey.refresh")
    assert len(spans) == ATTEMPTS
    for span in spans:
        assert span.attributes["lakekey.outcome"] == "failed"
        assert (span.attributes["error.type"], span.attributes["http.response.status_code"]) == ("token_endpoint", 503)
    assert exported.counts() == {"lakekey.failures": 1}


def test_an_answer_without_a_usable_token_is_not_a_refresh(unwatched, exported):
    unwatched.server.fault("token", "edit", set={"token_type": "mac"}, processed=True)
    with pytest.raises(TokenEndpointError, match="no bearer token"):
        unwatched.provider().headers()
    span = exported.span("lakekey.refresh")
    assert (span.attributes["lakekey.outcome"], span.attributes["error.type"]) == ("failed", "token_endpoint")
    assert span.status.status_code == StatusCode.ERROR
    assert exported.counts() == {"lakekey.failures": 1}


def test_a_header_from_memory_tells_nothing(unwatched, exported):
    provider = unwatched.provider()
    provider.headers()
    before = len(exported.spans())
    counts = exported.counts()
    for _ in range(100):
        provider.headers()
    assert (len(exported.spans()), exported.counts()) == (before, counts)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_tells_what_is_its_own_and_nothing_of_its_parents(unwatched, exported):
    unwatched.provider().headers()
    from lakekey.observability import telemetry

    go_on, told = threading.Event(), []
    telemetry._exports.later(lambda: go_on.wait(20))
    telemetry._exports.later(lambda: told.append("the parent's"))
    child = os.fork()
    if child == 0:
        done = threading.Event()
        telemetry._exports.later(lambda: told.append("the child's"))
        telemetry._exports.later(done.set)
        os._exit(0 if done.wait(10) and told == ["the child's"] else 1)
    go_on.set()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    until(lambda: told == ["the parent's"])


def test_the_page_lists_every_span_and_every_instrument():
    from lakekey.observability import telemetry

    page = (Path(__file__).parents[3] / "docs/reference/observability.md").read_text(encoding="utf-8")
    source = Path(telemetry.__file__).read_text(encoding="utf-8")
    spans = set(re.findall(r'Span\("([\w.]+)"', source))
    instruments = {f"lakekey.{name}" for name in telemetry._counters} | {"lakekey.exchange.duration"}
    listed = re.findall(r"^\| `(lakekey\.[\w.]+)` \| (\w+)", page.partition("## OpenTelemetry")[2], re.MULTILINE)
    assert {name for name, kind in listed if kind in ("client", "internal")} == spans
    assert {name for name, kind in listed if kind in ("counter", "histogram")} == instruments


def test_sessions_that_are_kept_alive_are_gauges(unwatched, exported, monkeypatch):
    monkeypatch.setenv("LAKEKEY_CACHE_DIR", str(unwatched.directory))
    ends = time.time() + 2 * 86400
    token = unwatched.stored().refresh_token
    unwatched.store(left=-2 * 86400, refresh_token=token, identity="ada@example.com", session_ends_at=ends)
    assert [kept.state for kept in keep_alive().sessions] == ["renewed"]
    (sessions,) = exported.points("lakekey.keep_alive.sessions")
    assert (sessions.attributes["lakekey.state"], sessions.value) == ("renewed", 1)
    assert exported.points("lakekey.keep_alive.next_end")[-1].value == pytest.approx(2 * 86400, abs=120)
