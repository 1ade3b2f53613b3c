"""Spans of a task's life, where they are recorded (`tasks/tracing`): submissions and attempts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

from tasks import tracing
from tasks.lifecycle.ending import Claim, Ending
from tasks.lifecycle.preparation import prepare
from tasks.lifecycle.telemetry import failure_of
from tasks.submission import Options, Submission

if TYPE_CHECKING:
    from tasks.tracing.span_recorder import RecordedSpan, SpanRecorder


def prepare_follow_up(
    kind: str, input: dict[str, Any] | None = None, **options: Unpack[Options]
) -> Submission:
    """Prepare a task that an attempt submits. Raises what `prepare` raises."""
    submission = prepare(kind, input, **options)
    if tracing.recorder is None:
        return submission
    with tracing.recorder.submitting(submission.kind) as span:
        span.set({"task.id": str(submission.id), "task.queue": submission.queue})
        return replace(submission, cause=span.cause)


def begin_attempt(recorder: SpanRecorder, claim: Claim) -> tuple[RecordedSpan, Claim]:
    """Record the wait and begin the attempt; return the claim with the attempt as its cause."""
    span = recorder.attempt(
        claim.kind,
        cause=claim.cause,
        waited=claim.waited,
        attributes={
            "task.id": str(claim.id),
            "task.kind": claim.kind,
            "task.queue": claim.queue,
            "task.attempt": claim.attempt,
        },
    )
    return span, claim._replace(traceparent=span.cause.traceparent)


def end_attempt(span: RecordedSpan, ending: Ending | None, *, worker: str) -> None:
    """End the span of an attempt; no ending is one whose claim was lost."""
    span.set({"task.worker": worker})
    if ending is None:
        span.set({"task.outcome": "lost"})
        span.fail("LostClaim", "The worker lost its claim on the task.")
    else:
        span.set({"task.outcome": str(ending.outcome), "task.status": str(ending.status)})
        if failure := failure_of(ending):
            span.fail(*failure)
    span.end()
