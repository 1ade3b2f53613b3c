"""Spans of child processes: kept, and handed to the worker as plain values with each ending.

A child has no thread that sends spans: it would be one more thing that its death can interrupt.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode

# Of one attempt; the oldest are dropped. A worker's own queue has room for as many.
MOST_SPANS = 2_048


class PlainSpan(NamedTuple):
    """A span that has ended, in types that can be pickled."""

    name: str
    context: SpanContext
    parent: SpanContext | None
    kind: SpanKind
    start_time: int | None
    end_time: int | None
    attributes: dict[str, Any]
    # Name, attributes and time of each.
    events: list[tuple[str, dict[str, Any], int]]
    links: list[tuple[SpanContext, dict[str, Any]]]
    status: tuple[StatusCode, str | None]
    # Name, version and schema of the library that recorded it.
    scope: tuple[str, str | None, str | None]


class SpanCollector(SpanProcessor):
    """Keeps the spans that end in a child process."""

    def __init__(self) -> None:
        self._spans = deque[ReadableSpan](maxlen=MOST_SPANS)

    def on_end(self, span: ReadableSpan) -> None:
        """Keep a span, if it is to be sent."""
        if span.context is not None and span.context.trace_flags.sampled:
            self._spans.append(span)

    def take(self) -> list[PlainSpan]:
        """Return the spans, and keep them no longer."""
        spans = [_plain(span) for span in self._spans]
        self._spans.clear()
        return spans


def rebuilt(plain: PlainSpan, resource: Resource) -> ReadableSpan:
    """Return the span that was made plain."""
    code, description = plain.status
    return ReadableSpan(
        plain.name,
        context=plain.context,
        parent=plain.parent,
        resource=resource,
        attributes=plain.attributes,
        events=[Event(*event) for event in plain.events],
        links=[Link(*link) for link in plain.links],
        kind=plain.kind,
        status=Status(code, description),
        start_time=plain.start_time,
        end_time=plain.end_time,
        instrumentation_scope=InstrumentationScope(*plain.scope),
    )


def _plain(span: ReadableSpan) -> PlainSpan:
    scope = span.instrumentation_scope
    return PlainSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        kind=span.kind,
        start_time=span.start_time,
        end_time=span.end_time,
        attributes=_copy(span.attributes),
        events=[(event.name, _copy(event.attributes), event.timestamp) for event in span.events],
        links=[(link.context, _copy(link.attributes)) for link in span.links],
        status=(span.status.status_code, span.status.description),
        scope=(scope.name, scope.version, scope.schema_url) if scope else ("", None, None),
    )


def _copy(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    return dict(attributes or {})
