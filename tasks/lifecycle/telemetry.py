"""Telemetry: one log line per transition; nothing else logs transitions."""

from __future__ import annotations

import logging
import uuid

from tasks.lifecycle.ending import Ending
from tasks.models import Status
from tasks.submission import Submission

_log = logging.getLogger("tasks.transition")


def emit(transition: str, *, task_id: uuid.UUID, kind: str, attempt: int, status: str) -> None:
    """Log a transition: ids and names only, never input or result."""
    if _log.isEnabledFor(logging.INFO):
        _log.info(
            "task %s",
            transition,
            extra={"task_id": str(task_id), "kind": kind, "attempt": attempt, "status": status},
        )


def emit_submitted(submission: Submission) -> None:
    """Log that a task was submitted."""
    emit(
        "submitted",
        task_id=submission.id,
        kind=submission.kind,
        attempt=0,
        status=Status.PENDING,
    )


def emit_ended(ending: Ending) -> None:
    """Log that an attempt ended, and its follow-ups."""
    emit(
        str(ending.outcome),
        task_id=ending.claim.id,
        kind=ending.claim.kind,
        attempt=ending.claim.attempt,
        status=ending.status,
    )
    for follow_up in ending.follow_ups:
        emit_submitted(follow_up)
