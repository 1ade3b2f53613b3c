"""A stand-in for an OpenTelemetry collector, which receives spans by OTLP over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.fakes.server import FakeHandler, LoopbackServer
from tests.waiting import wait_until


@dataclass(frozen=True)
class ReceivedSpan:
    """One span, as the collector received it; `parent` is empty for a root."""

    name: str
    trace_id: str
    id: str
    parent: str
    kind: str
    start: int
    end: int
    attributes: dict[str, Any]
    events: list[str]
    # The description of an error; None for none.
    error: str | None
    service: str
    scope: str

    @property
    def seconds(self) -> float:
        return (self.end - self.start) / 1e9


class Collector(LoopbackServer):
    """The server; `spans` holds what it has received, in that order."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.spans: list[ReceivedSpan] = []

    def environment(self) -> dict[str, str]:
        """Return the settings with which the project sends its spans here."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.port}",
            # Milliseconds between two exports.
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }

    def named(self, name: str, of: str) -> list[ReceivedSpan]:
        """Return the spans of a name in a trace, or of a task, by their start."""
        spans = [
            span
            for span in self.spans
            if span.name == name and of in (span.trace_id, span.attributes.get("task.id"))
        ]
        return sorted(spans, key=lambda span: span.start)

    def wait_for(self, name: str, of: str, *, count: int = 1) -> list[ReceivedSpan]:
        """Wait until so many of these spans have come; return them by their start."""
        wait_until(lambda: len(self.named(name, of)) >= count, what=f"{count} {name!r}")
        return self.named(name, of)

    def tree(self, trace_id: str) -> dict[str, Any]:
        """Return the names of a trace's spans, each with those below it, by their start."""
        spans = {span.id: span for span in self.spans if span.trace_id == trace_id}
        roots = {span.parent for span in spans.values()} - spans.keys()

        def below(parent: str) -> list[Any]:
            children = [span for span in spans.values() if span.parent == parent]
            children.sort(key=lambda span: span.start)
            return [
                (span.name, below(span.id)) if below(span.id) else span.name for span in children
            ]

        return {root: below(root) for root in roots}


class _Handler(FakeHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.path == "/v1/traces", self.path
        self.server.spans += _spans(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()


def _spans(request: ExportTraceServiceRequest) -> Iterator[ReceivedSpan]:
    for of_resource in request.resource_spans:
        resource = {pair.key: _value(pair.value) for pair in of_resource.resource.attributes}
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield _received(span, service=resource["service.name"], scope=of_scope.scope.name)


def _received(span: Span, *, service: str, scope: str) -> ReceivedSpan:
    is_error = span.status.code == Status.STATUS_CODE_ERROR
    return ReceivedSpan(
        name=span.name,
        trace_id=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        attributes={pair.key: _value(pair.value) for pair in span.attributes},
        events=[event.name for event in span.events],
        error=span.status.message if is_error else None,
        service=service,
        scope=scope,
    )


def _value(value: AnyValue) -> Any:
    if value.HasField("array_value"):
        return [_value(each) for each in value.array_value.values]
    return getattr(value, str(value.WhichOneof("value")))


@contextmanager
def collector() -> Iterator[Collector]:
    """Run a collector."""
    with Collector() as server:
        yield server
