"""Span recorder: the spans of one process, made and sent by OpenTelemetry's SDK."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from tasks.correlation import Cause, current_cause
from tasks.tracing.child_spans import PlainSpan, SpanCollector, rebuilt

Attributes = Mapping[str, str | int]

# Seconds for which a process that stops waits until its last spans are sent.
STOP_SECONDS = 2.0
SERVICE = "tasks"

_root_trace_id: ContextVar[str] = ContextVar("root_trace_id", default="")


class RecordedSpan:
    """A span that has begun; `cause` is that of what happens in it."""

    def __init__(self, span: Span, request_id: str) -> None:
        self._span = span
        context = span.get_span_context()
        self.cause = Cause(
            request_id,
            f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}",
        )

    def active(self) -> AbstractContextManager[Span]:
        """Make it the current span of this thread during a block."""
        return trace.use_span(self._span, record_exception=False, set_status_on_exception=False)

    def set(self, attributes: Attributes) -> None:
        """Set attributes."""
        self._span.set_attributes(attributes)

    def fail(self, error_type: str, detail: str = "") -> None:
        """Set the status of an error."""
        self._span.set_attribute("error.type", error_type)
        self._span.set_status(Status(StatusCode.ERROR, detail or error_type))

    def end(self, at: int | None = None) -> None:
        """End it, now or at a time in nanoseconds, and have it sent."""
        self._span.end(at)


class SpanRecorder:
    """Records spans; its methods may be called from any thread."""

    def __init__(self, *, is_child: bool) -> None:
        self._processor = SpanCollector() if is_child else BatchSpanProcessor(OTLPSpanExporter())
        self._provider = TracerProvider(
            resource=_resource(), id_generator=_TraceIds(), shutdown_on_exit=False
        )
        self._provider.add_span_processor(self._processor)
        # For what handlers and their libraries record.
        trace.set_tracer_provider(self._provider)
        self._tracer = self._provider.get_tracer("tasks")

    @contextmanager
    def submitting(self, what: str) -> Iterator[RecordedSpan]:
        """Record a submission during a block, in the current span or in the caller's."""
        cause = current_cause()
        span = self._begin(
            f"submit {what}",
            cause,
            kind=SpanKind.PRODUCER,
            is_in_span=trace.get_current_span().get_span_context().is_valid,
        )
        try:
            with span.active():
                yield span
        except BaseException as error:
            span.fail(type(error).__name__)
            raise
        finally:
            span.end()

    def attempt(
        self, task_kind: str, *, cause: Cause, waited: float, attributes: Attributes
    ) -> RecordedSpan:
        """Record the wait that ends now, in seconds, and begin the span of the attempt."""
        now = time.time_ns()
        due = now - int(waited * 1e9)
        self._begin(f"wait {task_kind}", cause, attributes=attributes, start_time=due).end(now)
        return self._begin(
            f"attempt {task_kind}",
            cause,
            kind=SpanKind.CONSUMER,
            attributes=attributes,
            start_time=now,
        )

    def continued(self, cause: Cause) -> AbstractContextManager[Span]:
        """Make a span of another process the current one of this thread during a block."""
        return trace.use_span(trace.get_current_span(_context_of(cause)))

    def take(self) -> list[PlainSpan]:
        """Return what this child of a worker has recorded since the last call."""
        return self._processor.take() if isinstance(self._processor, SpanCollector) else []

    def add(self, spans: Sequence[PlainSpan]) -> None:
        """Send what a child has recorded."""
        for span in spans:
            self._processor.on_end(rebuilt(span, self._provider.resource))

    def stop(self) -> None:
        """Send what is left, within STOP_SECONDS."""
        stopping = threading.Thread(target=self._provider.shutdown, daemon=True)
        stopping.start()
        stopping.join(STOP_SECONDS)

    def _begin(
        self,
        name: str,
        cause: Cause,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes | None = None,
        start_time: int | None = None,
        is_in_span: bool = False,
    ) -> RecordedSpan:
        """Begin a span below the current one (`is_in_span`), or below that of the cause."""
        root_trace_id = _root_trace_id.set(cause.trace_id)
        try:
            span = self._tracer.start_span(
                name,
                context=None if is_in_span else _context_of(cause),
                kind=kind,
                attributes=attributes,
                start_time=start_time,
            )
        finally:
            _root_trace_id.reset(root_trace_id)
        return RecordedSpan(span, cause.request_id)


class _TraceIds(RandomIdGenerator):
    """A trace without a caller's id has the id that follows from the request, as in the log."""

    def generate_trace_id(self) -> int:
        """Return the id of a trace that begins."""
        trace_id = _root_trace_id.get()
        return int(trace_id, 16) if trace_id else super().generate_trace_id()


def _resource() -> Resource:
    """Return what OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say; the service has a name."""
    resource = Resource.create()
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        return resource.merge(Resource({SERVICE_NAME: SERVICE}))
    return resource


def _context_of(cause: Cause) -> Context:
    """Return a context in which the cause's span is the parent; an empty one for none."""
    if not cause.traceparent:
        return Context()
    _, trace_id, span_id, flags = cause.traceparent.split("-")
    parent = SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )
    return set_span_in_context(NonRecordingSpan(parent), Context())
