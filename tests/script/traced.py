"""Kinds that record spans of their own, as instrumented libraries do."""

from __future__ import annotations

import os
from typing import Any

from opentelemetry import trace

import tasks
from tasks.kinds import Context, RetryPolicy, kind

_RETRY = RetryPolicy(max_retries=3, delay=0.05)


@kind("test.traced", retry=_RETRY)
def traced(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Fail once with a span of its own, then submit follow-ups in another."""
    tracer = trace.get_tracer("handler")
    if context.attempt == 1:
        with tracer.start_as_current_span("tries"):
            raise ValueError("the first attempt fails")
    with tracer.start_as_current_span("works", attributes={"numbers": [1, 2]}) as span:
        span.add_event("begins", {"step": 1})
        context.submit("test.script", {"value": 1})
        tasks.submit("test.script", {"value": 2})
    return {}


@kind("test.isolated_traced", isolation="process", retry=_RETRY)
def isolated_traced(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Do the same in a process of its own, or die in a span."""
    if input.get("do") == "die" and context.attempt == 1:
        with trace.get_tracer("handler").start_as_current_span("lost"):
            os._exit(9)
    traced(input, context)
    return {}
