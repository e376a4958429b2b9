"""What lakekey exports to OpenTelemetry, by the real SDK into memory. The SDK keeps one provider for a process's life."""

import concurrent.futures.thread  # noqa: F401 - see below
import threading
from collections import Counter
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import Counter as CounterInstrument
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader, Sum
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

# When the process forks, the SDK's hook in the child uses a thread pool, which waits for ever where Python's own hook
# for pools was registered after it; so pools have to be loaded before the SDK is set up.

DELTA = AggregationTemporality.DELTA


class Exported:
    """What has been exported since `forget`.

    Attributes:
        text: All of it, as it would go over a wire.
    """

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self._reader = InMemoryMetricReader(preferred_temporality={CounterInstrument: DELTA, Histogram: DELTA})
        tracers = TracerProvider(resource=Resource({}))
        tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        trace.set_tracer_provider(tracers)
        metrics.set_meter_provider(MeterProvider([self._reader], resource=Resource({})))
        self.text = ""
        self._points: list[tuple[str, Any]] = []
        self._counters: set[str] = set()

    def forget(self) -> None:
        """Starts again."""
        self._read()
        self._spans.clear()
        self._points.clear()
        self.text = ""

    def spans(self, name: str | None = None) -> list[ReadableSpan]:
        """The finished spans, of one name or all."""
        self._read()
        return [span for span in self._spans.get_finished_spans() if name in (None, span.name)]

    def span(self, name: str) -> ReadableSpan:
        """The one span of that name."""
        (span,) = self.spans(name)
        return span

    def counts(self) -> dict[str, int]:
        """The counters that were raised, each with its sum. A gauge tells its last value for ever, and is left out."""
        self._read()
        sums: Counter[str] = Counter()
        for name, point in self._points:
            if name in self._counters:
                sums[name] += point.value
        return {name: total for name, total in sums.items() if total}

    def points(self, name: str) -> list[Any]:
        """The data points of one instrument."""
        self._read()
        return [point for each, point in self._points if each == name]

    def _read(self) -> None:
        from lakekey.observability import telemetry

        told = threading.Event()
        telemetry._exports.later(told.set)
        assert told.wait(20)
        data = self._reader.get_metrics_data()
        for resource in data.resource_metrics if data else []:
            for scope in resource.scope_metrics:
                if scope.scope.name == "lakekey":
                    self._counters |= {metric.name for metric in scope.metrics if isinstance(metric.data, Sum)}
                    self._points += [
                        (metric.name, point) for metric in scope.metrics for point in metric.data.data_points
                    ]
            self.text += resource.to_json()
        self.text += "".join(span.to_json() for span in self._spans.get_finished_spans())
