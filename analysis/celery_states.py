"""Celery's states: how two of the documented systems spell the statuses of tasks."""

from __future__ import annotations

from tasks.models import Status, Task

CELERY_STATES = ("PENDING", "STARTED", "RETRY", "SUCCESS", "FAILURE", "REVOKED")

_SPELLINGS = {
    Status.PENDING: "PENDING",
    Status.PROCESSING: "STARTED",
    Status.COMPLETED: "SUCCESS",
    Status.FAILED: "FAILURE",
    Status.CANCELLED: "REVOKED",
}


def celery_state(task: Task) -> str:
    """Return Celery's word for a task's status; RETRY when it waits after a failed attempt."""
    if task.status == Status.PENDING and task.attempt:
        return "RETRY"
    return _SPELLINGS[Status(task.status)]
