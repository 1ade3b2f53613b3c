"""Tracing: spans of tasks for OpenTelemetry, which is imported only where a collector is set.

`span_recorder.py` and `child_spans.py` are all that imports it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.conf import settings

from tasks.correlation import Cause

if TYPE_CHECKING:
    from tasks.tracing.span_recorder import SpanRecorder

log = logging.getLogger(__name__)

# None in a process that records no spans: each submission and each attempt checks this.
recorder: SpanRecorder | None = None


def load() -> bool:
    """Import OpenTelemetry if a collector is set; return whether spans can be recorded.

    A worker calls it before it forks: its processes share what is loaded.
    """
    if not settings.TRACING:
        return False
    try:
        import tasks.tracing.span_recorder  # noqa: F401
    except ImportError:
        log.warning(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed, so no spans"
            " are sent: install requirements-otel.lock"
        )
        return False
    return True


def start() -> None:
    """Record spans in this process from now on, and send them in a thread of their own."""
    global recorder
    if settings.TRACING:
        recorder = _started(is_child=False)


def start_in_child() -> None:
    """Record spans in this child of a worker, and keep them for the worker to send."""
    global recorder
    if settings.TRACING:
        recorder = _started(is_child=True)


def stop() -> None:
    """Send what is left, for a limited time, and record nothing more."""
    global recorder
    if recorder is not None:
        stopping, recorder = recorder, None
        stopping.stop()


def outgoing_traceparent(cause: Cause) -> str:
    """Return the header for a call to another service: the cause's own span, if it has one."""
    return cause.next_traceparent() if recorder is None else cause.traceparent


def _started(*, is_child: bool) -> SpanRecorder | None:
    try:
        from tasks.tracing.span_recorder import SpanRecorder
    except ImportError:
        return None  # `load()` has logged it
    try:
        return SpanRecorder(is_child=is_child)
    except Exception:
        # Such as an export that is larger than the queue. Tasks run without spans.
        log.exception("could not set up OpenTelemetry; no spans are sent")
        return None
