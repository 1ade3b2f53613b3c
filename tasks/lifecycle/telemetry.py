"""Telemetry: one log line and one count per transition; nothing else logs or counts them."""

from __future__ import annotations

import logging
import uuid
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import orjson
from django.conf import settings

from tasks.counts import (
    ATTEMPTS,
    ENDED,
    LEASES_LOST,
    MOVED,
    RAN,
    RETRIED,
    STARTED,
    SUBMITTED,
    WAITED,
    counts,
)
from tasks.lifecycle.ending import RELEASED, Claim, Ending
from tasks.lifecycle.labels import queue_and_kind
from tasks.models import Outcome, Status
from tasks.models.task import TERMINAL
from tasks.submission import Submission

_log = logging.getLogger("tasks.transition")

# Outcomes that use an attempt.
_FAILURES = (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.CRASHED)
# The transitions that end a task, unless they only request it or queue it again.
_MAY_END = ("answer", "cancel", "expire", "rescue", "skip")
# Of an error's text. All of it stands in the task's history.
_LONGEST_DETAIL = 300


def emit(
    transition: str, *, task_id: uuid.UUID, kind: str, queue: str, attempt: int, status: str
) -> None:
    """Log and count a transition: ids and names only, never input or result."""
    labels = queue_and_kind(queue, kind)
    counts.add(MOVED, *labels, transition)
    if transition in _MAY_END and status in TERMINAL:
        counts.add(ENDED, *labels, status)
    _log_transition(transition, task_id=task_id, kind=kind, attempt=attempt, status=status)


def _log_transition(
    transition: str, *, task_id: uuid.UUID, kind: str, attempt: int, status: str
) -> None:
    if _log.isEnabledFor(logging.INFO):
        _log.info(
            "task %s",
            transition,
            extra={"task_id": str(task_id), "kind": kind, "attempt": attempt, "status": status},
        )


def emit_submitted(submission: Submission) -> None:
    """Log and count that a task was submitted."""
    counts.add(SUBMITTED, *queue_and_kind(submission.queue, submission.kind))
    _log_transition(
        "submitted",
        task_id=submission.id,
        kind=submission.kind,
        attempt=0,
        status=Status.PENDING,
    )


def emit_started(claim: Claim) -> None:
    """Count that a worker begins an attempt; each task waits for this."""
    counts.add(STARTED, *queue_and_kind(claim.queue, claim.kind))


def emit_reused(claim: Claim) -> None:
    """Count that a claimed task takes a stored result; its ending is counted like any other."""
    counts.add(MOVED, *queue_and_kind(claim.queue, claim.kind), "answer")


def emit_leases_lost(workers: int) -> None:
    """Log and count that so many workers did not renew their lease."""
    counts.add(LEASES_LOST, by=workers)
    _log.warning(
        "workers did not renew their lease; their tasks are queued again",
        extra={"workers": workers},
    )


def emit_ended(endings: Sequence[Ending], *, worker: str) -> None:
    """Log and count that attempts ended, and their follow-ups: a failed task as an error."""
    alike = defaultdict(list)
    for ending in endings:
        claim = ending.claim
        # Compared by a plain text: an enumeration's hash is computed in Python.
        alike[claim.queue, claim.kind, str(ending.outcome), str(ending.status)].append(ending)
        for follow_up in ending.submitted:
            emit_submitted(follow_up)
    for group in alike.values():
        _count(group)
        _log_group(group, worker)


def _count(group: Sequence[Ending]) -> None:
    """Count endings that are alike, all at once: the finish of each task waits for this."""
    claim, outcome, status = group[0].claim, str(group[0].outcome), group[0].status
    labels = queue_and_kind(claim.queue, claim.kind)
    counts.add(ATTEMPTS, *labels, outcome, by=len(group))
    if outcome == RELEASED:
        return
    counts.observe(WAITED, *labels, seconds=[ending.claim.waited for ending in group])
    counts.observe(RAN, *labels, seconds=[ending.ran for ending in group])
    if status in TERMINAL:
        counts.add(ENDED, *labels, status, by=len(group))
    elif outcome in _FAILURES:
        counts.add(RETRIED, *labels, by=len(group))


def _log_group(group: Sequence[Ending], worker: str) -> None:
    if not (settings.SLOW_TASK or _log.isEnabledFor(_level(group[0]))):
        return
    for ending in group:
        level = _level(ending)
        if _log.isEnabledFor(level):
            _log.log(level, _event(ending), extra=_fields(ending, worker))


def _level(ending: Ending) -> int:
    if ending.status == Status.FAILED:
        return logging.ERROR
    return logging.WARNING if _has_failed(ending) or _is_slow(ending) else logging.INFO


def failure_of(ending: Ending) -> tuple[str, str] | None:
    """Return the type and the text of the error with which an attempt failed, if it did."""
    if not ending.error or not _has_failed(ending):
        return None
    return orjson.loads(ending.error)["type"], ending.detail[:_LONGEST_DETAIL]


def _has_failed(ending: Ending) -> bool:
    return ending.error is not None and ending.status != Status.CANCELLED


def _is_slow(ending: Ending) -> bool:
    return 0 < settings.SLOW_TASK <= ending.ran


def _event(ending: Ending) -> str:
    if ending.status == Status.FAILED:
        return "task failed"
    if _has_failed(ending):
        return "attempt failed; the task is tried again"
    if _is_slow(ending):
        return f"task {ending.outcome}; the attempt took longer than SLOW_TASK"
    return f"task {ending.outcome}"


def _fields(ending: Ending, worker: str) -> dict[str, Any]:
    fields = {
        **ending.claim.log_fields(),
        "status": ending.status,
        "outcome": ending.outcome,
        "worker": worker,
        "waited_seconds": round(ending.claim.waited, 3),
        "ran_seconds": round(ending.ran, 3),
    }
    if failure := failure_of(ending):
        fields["error_type"], fields["error"] = failure
    if ending.delay:
        fields["delay_seconds"] = round(ending.delay, 3)
    return fields
