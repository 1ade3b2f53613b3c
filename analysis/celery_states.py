"""The statuses of two of the documented systems, which spell them as Celery does."""

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
    """Return Celery's word for a task's status; RETRY where it waits after a failed attempt."""
    if task.status == Status.PENDING and task.attempt:
        return "RETRY"
    return _SPELLINGS[Status(task.status)]
