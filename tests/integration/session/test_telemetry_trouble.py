"""Whatever is wrong with OpenTelemetry, and whether it is there at all, tokens are renewed as before, and as fast."""

import subprocess
import sys
import time

import pytest

from lakekey.observability.events import _NOTHING
from support.inside import session_of

RENEW = """
import time
import lakekey

began = time.monotonic()
for _ in range(2):
    provider = lakekey.provider()
    assert provider.headers()
provider.invalidate(provider.token().access_token)
print("renewed in", time.monotonic() - began)
"""
SDK = """
import time
from opentelemetry import metrics, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor, SpanExporter, SpanExportResult

def sends_to(exporter):
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(tracers)
"""
HANGS = """
class Hangs(SpanExporter):
    def export(self, spans):
        print("hangs", flush=True)
        time.sleep(600)

sends_to(Hangs())
"""
SLOW = """
class Slow(SpanExporter):
    def export(self, spans):
        time.sleep(0.3)
        print("sent", *(span.name for span in spans), flush=True)
        return SpanExportResult.SUCCESS

sends_to(Slow())
"""
RAISES = """
def broken(*arguments, **options):
    raise ZeroDivisionError("a word that may be secret")

class Tracers(TracerProvider):
    def get_tracer(self, *arguments, **options):
        tracer = super().get_tracer(*arguments, **options)
        tracer.start_span = broken
        return tracer

trace.set_tracer_provider(Tracers())
from opentelemetry.sdk.metrics import MeterProvider
metrics.set_meter_provider(MeterProvider())
from opentelemetry.sdk.metrics import Counter, Histogram
Counter.add = Histogram.record = broken
"""
RAISES_AT_THE_END = """
from opentelemetry.sdk.trace import SpanProcessor

class Raises(SpanProcessor):
    def on_end(self, span):
        raise ZeroDivisionError("a word that may be secret")

tracers = TracerProvider()
tracers.add_span_processor(Raises())
trace.set_tracer_provider(tracers)
"""
ASKS = """
import threading
from opentelemetry.sdk.trace import SpanProcessor

class Asks(SpanProcessor):
    # It needs a header itself, as one that exports to the workspace does.
    def on_start(self, span, parent_context=None):
        import lakekey

        print(span.name, "on_start:", bool(lakekey.provider().headers()), flush=True)

tracers = TracerProvider()
tracers.add_span_processor(Asks())
trace.set_tracer_provider(tracers)
"""
NEEDS_A_LOCK = """
import threading
from opentelemetry.sdk.trace import SpanProcessor

lock = threading.Lock()

class NeedsALock(SpanProcessor):
    def on_start(self, span, parent_context=None):
        with lock:
            print(span.name, "on_start", flush=True)

tracers = TracerProvider()
tracers.add_span_processor(NeedsALock())
trace.set_tracer_provider(tracers)
import lakekey
with lock:  # the caller holds what the tracer needs, and waits for a token
    began = time.monotonic()
    lakekey.provider().headers()
    print("got it", flush=True)
lakekey.provider().invalidate(lakekey.provider().token().access_token)
"""
MISSING = """
import sys
sys.modules["opentelemetry"] = None
"""
LOADED = """
import sys
print(sorted(name for name in sys.modules if name.startswith(("opentelemetry", "lakekey.observability.telemetry"))))
"""


@pytest.fixture
def run(machine):
    """Runs a program that renews the session twice. Returns what it printed, and what it complained of."""

    def run(program, **environ):
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**machine.environ, **environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert machine.token_requests() == 2
        machine.assert_session_is_whole()
        run.seconds = time.monotonic() - began
        return done.stdout, done.stderr

    return run


@pytest.mark.parametrize("environ", [{}, {"LAKEKEY_OTEL": ""}, {"LAKEKEY_OTEL": "0"}, {"LAKEKEY_OTEL": "off"}])
def test_where_it_is_off_nothing_of_it_is_loaded(run, environ):
    out, complaints = run(RENEW + LOADED, **environ)
    assert out.endswith("\n[]\n")
    assert complaints == ""


def test_where_it_is_on_the_api_alone_is_loaded(run):
    out, complaints = run(RENEW + LOADED, LAKEKEY_OTEL="1")
    assert "'lakekey.observability.telemetry', 'opentelemetry'" in out
    assert "opentelemetry.sdk" not in out
    assert complaints == ""


def test_where_it_is_off_the_work_itself_is_done_and_nothing_is_counted(machine):
    events = session_of(machine.provider()).credential.events
    assert events.carried(print) is print
    assert events.exchange(lambda: "the answer") == "the answer"
    assert events.login() is _NOTHING
    assert events.wait() is None


def test_a_header_from_memory_does_the_same_whether_it_is_on_or_off(machine, monkeypatch):
    factories = []
    for value in ("0", "1"):
        monkeypatch.setenv("LAKEKEY_OTEL", value)
        factories.append(machine.provider()())
    code = {factory.__code__ for factory in factories}
    assert {name for each in code for name in each.co_names} == {
        "_fresh", "_time", "_monotonic", "_renewed_headers",
    }  # fmt: skip


def test_a_package_that_is_missing_is_reported_once(run):
    out, complaints = run(MISSING + RENEW, LAKEKEY_OTEL="1")
    assert "renewed" in out
    assert complaints == (
        "OpenTelemetry is not used: opentelemetry-api is missing (pip install 'lakekey[otel]')\n"
    )  # fmt: skip


def test_invalid_value_is_reported_once(run):
    assert run(RENEW, LAKEKEY_OTEL="perhaps")[1] == (
        "OpenTelemetry is not used: LAKEKEY_OTEL is 'perhaps' (set it to 1 or 0)\n"
    )


def test_an_sdk_that_does_not_load(run):
    complaints = run(RENEW, LAKEKEY_OTEL="1", OTEL_PYTHON_TRACER_PROVIDER="nowhere")[1]
    assert complaints.count("OpenTelemetry is not used: it fails to load") == 1


@pytest.mark.parametrize("trouble", [RAISES, RAISES_AT_THE_END], ids=["as things begin", "as they end"])
def test_an_sdk_that_raises_is_reported_once_and_not_quoted(run, trouble):
    out, complaints = run(SDK + trouble + RENEW, LAKEKEY_OTEL="1")
    assert "renewed" in out
    assert complaints == "OpenTelemetry failed: ZeroDivisionError; tokens are still renewed\n"


def test_an_exporter_that_hangs_delays_no_token_and_the_programs_end_by_two_seconds(run):
    out, _ = run(SDK + HANGS + RENEW, LAKEKEY_OTEL="1")
    assert "hangs\n" in out
    assert float(out.split("renewed in")[1]) < 10
    assert run.seconds < 20


def test_a_program_that_ends_at_once_has_told_all(run):
    out, _ = run(SDK + SLOW + RENEW, LAKEKEY_OTEL="1")
    assert out.count("sent lakekey.refresh") == 2


def test_tracer_that_asks_for_a_header_as_a_span_starts_gets_one(run):
    out, complaints = run(SDK + ASKS + RENEW, LAKEKEY_OTEL="1")
    assert "lakekey.refresh on_start: True" in out
    assert complaints == ""


def test_tracer_that_needs_what_the_caller_holds_holds_no_token_up(run):
    out, _ = run(SDK + NEEDS_A_LOCK, LAKEKEY_OTEL="1")
    assert out.splitlines()[:2] == ["got it", "lakekey.refresh on_start"]
