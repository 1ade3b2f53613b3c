"""Telemetry: one log line and one count per transition; nothing else logs or counts them."""

from __future__ import annotations

import logging
import uuid
from functools import lru_cache
from typing import Any

import orjson
from django.conf import settings

from tasks.counts import ATTEMPTS, ENDED, MOVED, RAN, SUBMITTED, WAITED, counts
from tasks.lifecycle.ending import RELEASED, Ending
from tasks.lifecycle.labels import kind_label, queue_label
from tasks.models import Status
from tasks.models.task import TERMINAL
from tasks.submission import Submission

_log = logging.getLogger("tasks.transition")

# Of an error's text. All of it stands in the task's history.
_LONGEST_DETAIL = 300


def emit(transition: str, *, task_id: uuid.UUID, kind: str, attempt: int, status: str) -> None:
    """Log and count a transition: ids and names only, never input or result."""
    counts.add(MOVED, kind_label(kind), transition)
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
    counts.add(SUBMITTED, queue_label(submission.queue), kind_label(submission.kind))
    _log_transition(
        "submitted",
        task_id=submission.id,
        kind=submission.kind,
        attempt=0,
        status=Status.PENDING,
    )


def emit_ended(ending: Ending, *, worker: str) -> None:
    """Log and count that an attempt ended, and its follow-ups: a failed task as an error."""
    _count(ending)
    level = _level(ending)
    if _log.isEnabledFor(level):
        _log.log(level, _event(ending), extra=_fields(ending, worker))
    for follow_up in ending.follow_ups:
        emit_submitted(follow_up)


def _count(ending: Ending) -> None:
    claim = ending.claim
    # As plain texts: an enumeration's hash is computed in Python, for every task that ends.
    outcome, status = str.__str__(ending.outcome), str.__str__(ending.status)
    attempts, queue_and_kind, ended = _labels(claim.queue, claim.kind, outcome, status)
    counts.add(ATTEMPTS, *attempts)
    if outcome == RELEASED:
        return
    counts.observe(WAITED, *queue_and_kind, seconds=claim.waited)
    counts.observe(RAN, *queue_and_kind, seconds=ending.ran)
    if ended:
        counts.add(ENDED, *ended)


@lru_cache(maxsize=10_000)
def _labels(
    queue: str, kind: str, outcome: str, status: str
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return the labels of an attempt, of its durations, and of the task's end, if it ended."""
    both = queue_label(queue), kind_label(kind)
    return (*both, outcome), both, (*both, status) if status in TERMINAL else ()


def _level(ending: Ending) -> int:
    if ending.status == Status.FAILED:
        return logging.ERROR
    return logging.WARNING if _has_failed(ending) or _is_slow(ending) else logging.INFO


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
    if ending.error and _has_failed(ending):
        fields["error_type"] = orjson.loads(ending.error)["type"]
        fields["error"] = ending.detail[:_LONGEST_DETAIL]
    if ending.delay:
        fields["delay_seconds"] = round(ending.delay, 3)
    return fields
