"""OpenTelemetry spans and counters of renewals, loaded only where ``LAKEKEY_OTEL`` is on (`events`).

Telemetry must never delay or break a token refresh. What an SDK does when a span ends or a counter is raised,
which with some processors includes sending it, is done in a thread of its own; what raises is caught and logged once.

Attributes follow OpenTelemetry's semantic conventions where there are any: ``server.address``, ``error.type``,
``http.response.status_code``. An error's text is never among them: it may name the person.
"""

import atexit
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TypeVar
from urllib.parse import urlsplit

# The first that asks for a tracer may load the SDK that the environment names; so it happens here, under the lock
# of a late import.
from opentelemetry import context, metrics, trace
from opentelemetry.trace import SpanKind, StatusCode

from lakekey import _inside_work, _log
from lakekey._version import __version__

if TYPE_CHECKING:
    from lakekey.observability.subject import Subject


class Answer(Protocol):
    """A token endpoint's answer, as far as a span tells of it."""

    @property
    def problem(self) -> str:
        """Why it is of no use, or empty."""


T = TypeVar("T")
R = TypeVar("R", bound=Answer)
A = TypeVar("A")
Attributes = Mapping[str, str | int]

_REFUSED = ("credentials_refused", "invalid_grant")
_LONGEST_QUEUE = 1000  # what an exporter that hangs can cost in memory
_LAST_WORDS = 2.0  # seconds that a program's end waits for what was not told yet
# Seconds; those that OpenTelemetry's conventions advise for the duration of HTTP requests.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)

_tracer = trace.get_tracer("lakekey", __version__)
_meter = metrics.get_meter("lakekey", __version__)
_duration = _meter.create_histogram(
    "lakekey.exchange.duration",
    unit="s",
    description="How long the token endpoint took for one exchange",
    explicit_bucket_boundaries_advisory=_BUCKETS,
)
_counters = {
    name: _meter.create_counter(f"lakekey.{name}", unit=unit, description=description)
    for name, unit, description in (
        ("refreshes", "{token}", "Tokens renewed at the token endpoint, and stored"),
        ("logins", "{login}", "Sign-ins of people that succeeded"),
        ("adoptions", "{token}", "Tokens of sibling processes taken into use"),
        ("refusals", "{refusal}", "Refresh tokens, clients, secrets and scopes that the server refused"),
        ("failures", "{failure}", "Exchanges and sign-ins that failed otherwise"),
    )
}


_complaints: list[str] = []


def _safely(work: Callable[[], T]) -> T | None:
    """Do something at once. Whatever goes wrong with it is logged the first time, and goes no further."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - foreign code, without which a token is as good
        if not _complaints:
            _complaints.append(type(error).__name__)
            _log.warning("telemetry", "OpenTelemetry failed: %s; tokens are still renewed", _complaints[0])
        return None


class _ExportThread:
    """Does what it is told, in a thread of its own; what is left when the program ends has two seconds."""

    def __init__(self) -> None:
        self._begin()
        atexit.register(self._finish)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._begin)  # a forked child has the queue but not the thread

    def _begin(self) -> None:
        # Of all queues the one that a signal handler may use while the thread that it interrupts is using it.
        self._work: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def later(self, work: Callable[[], object]) -> None:
        """Do something soon; not at all where too much waits already."""
        _inside_work.later(lambda: self._put(work))  # it may start a thread, which is waited for

    def _put(self, work: Callable[[], object]) -> None:
        if self._work.qsize() >= _LONGEST_QUEUE or sys.is_finalizing():
            return
        self._work.put(work)
        if self._thread is None or not self._thread.is_alive():
            thread = threading.Thread(target=self._run, args=(self._work,), name="lakekey-telemetry", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the interpreter is exiting
                return
            self._thread = thread

    def _run(self, work: "SimpleQueue[Callable[[], object]]") -> None:
        while True:
            _safely(work.get())

    def _finish(self) -> None:
        if self._thread is not None:
            told = threading.Event()
            self._work.put(told.set)
            told.wait(_LAST_WORDS)


_exports = _ExportThread()
later = _exports.later


class Span:
    """Something under way, which becomes a span when it has ended.

    Tracers, samplers and span processors are code of others. None of it runs here, where threads may wait for a token:
    what is known is kept, and a thread of its own makes the span, with the times of what it is about.

    Args:
        name: The span's name.
        attributes: What is known from the start.
        success: The outcome if no exception ends it.
        kind: The span's kind.
        measured: Whether its duration goes into the histogram.
    """

    def __init__(
        self,
        name: str,
        attributes: Attributes,
        success: str,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        measured: Attributes | None = None,
    ) -> None:
        self._name = name
        self._attributes = attributes
        self._success = success
        self._kind = kind
        self._error_type = ""
        self._measured = measured
        self._began = time.monotonic()
        self._start_time = time.time_ns()
        self._parent = _safely(context.get_current)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end(self._success, error)

    def fails(self, error_type: str) -> None:
        """It fails, though no exception will say so."""
        self._error_type = error_type

    def end(self, outcome: str, error: BaseException | None = None) -> None:
        """It has ended.

        Args:
            outcome: What came of it, if there is no error.
            error: What ended it, of which the kind is told and never the text.
        """
        lasted, ended = time.monotonic() - self._began, time.time_ns()
        about = {"error.type": self._error_type} if error is None else _about(error)
        failed = bool(about["error.type"])
        if not failed:
            about = {"lakekey.outcome": outcome}
        else:
            about["lakekey.outcome"] = "refused" if about["error.type"] in _REFUSED else "failed"
        measured = self._measured

        def make() -> None:
            span = _tracer.start_span(
                self._name,
                context=self._parent,
                kind=self._kind,
                attributes={**self._attributes, **about},
                start_time=self._start_time,
            )
            if failed:
                span.set_status(StatusCode.ERROR)
            span.end(ended)

        _exports.later(make)
        if measured is not None:
            _exports.later(lambda: _duration.record(lasted, {**measured, **about}))


class Telemetry:
    """The spans and counters of one credential.

    Args:
        subject: The credential.
    """

    def __init__(self, subject: "Subject") -> None:
        place = urlsplit(subject.host)
        self._about: dict[str, str | int] = {
            "server.address": place.hostname or subject.host,
            "lakekey.auth_type": subject.auth_type,
        }
        if place.port is not None:
            self._about["server.port"] = place.port
        if subject.profile:
            self._about["lakekey.profile"] = subject.profile
        # Not on counters and the histogram, which would grow with the number of people on a host that serves many.
        self._about_span = {**self._about, "lakekey.entry_id": subject.entry_id[:12]}

    def count(self, name: str, error_type: str | None = None) -> None:
        """Raise one of the counters by one."""
        about = self._about if error_type is None else {**self._about, "error.type": error_type}
        _exports.later(lambda: _counters[name].add(1, about))

    def exchange(self, work: Callable[[], R]) -> R:
        """Make one request to the token endpoint."""
        span = Span("lakekey.refresh", self._about_span, "refreshed", kind=SpanKind.CLIENT, measured=self._about)
        with span:
            response = work()
            if response.problem:
                span.fails("token_endpoint")
            return response

    def login(self) -> Span:
        """One sign-in of a person."""
        return Span("lakekey.login", self._about_span, "signed_in")

    def wait(self) -> Span:
        """A wait for another process at the entry."""
        return Span("lakekey.wait", self._about_span, "adopted")

    def carried(self, work: Callable[[A], T]) -> Callable[[A], T]:
        """The work, which another thread is to do, as a part of what this thread has under way."""
        here = _safely(context.get_current)

        def within(argument: A) -> T:
            token = None if here is None else _safely(lambda: context.attach(here))
            try:
                return work(argument)
            finally:
                if token is not None:
                    _safely(lambda: context.detach(token))

        return within


def _about(error: BaseException) -> dict[str, str | int]:
    about: dict[str, str | int] = {"error.type": str(getattr(error, "code", None) or type(error).__name__)}
    status = getattr(error, "status", None)
    if isinstance(status, int):
        about["http.response.status_code"] = status
    return about
