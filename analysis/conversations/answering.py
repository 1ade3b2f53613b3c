"""Which task makes the reply, and how far it is."""

from __future__ import annotations

import time
import uuid
from typing import Any

from analysis.celery_states import celery_state
from tasks import long_poll, stats
from tasks.models import Status, Task

SHOWN = ("id", "owner_id", "kind", "status", "attempt", "progress", "result", "error")
DOCUMENTED = ("conversation_id", "ai_response")


def answering(task: Task) -> Task:
    """Return the task that answers what a task received, or the task itself."""
    if not (task.kind.startswith("webhook.") and task.status == Status.COMPLETED and task.result):
        return task
    begun = (task.result.get("tasks") or [None])[0]
    found = begun and Task.objects.filter(pk=begun, owner_id=task.owner_id).only(*SHOWN).first()
    return found or task


def state(task: Task, by: Task) -> str:
    """Return Celery's word for the status of a task that is answered by another, or by itself."""
    word = celery_state(by)
    return "STARTED" if by is not task and word == "PENDING" else word


def reply(task: Task) -> dict[str, Any] | None:
    """Return what a task has come to, in the documented shape where it is a reply."""
    result: dict[str, Any] | None = task.result
    if result and all(name in result for name in DOCUMENTED):
        return {name: result[name] for name in DOCUMENTED}
    return result


def wait(task_id: uuid.UUID, *, seconds: float) -> Task | None:
    """Return the answering task once it has ended; None when that takes longer.

    At once when no worker lives, or when as many wait already as may.
    """
    end = time.monotonic() + seconds
    if not stats.worker_counts()[stats.Liveness.ALIVE]:
        return None
    while (left := end - time.monotonic()) > 0 and long_poll.until_ended(task_id, seconds=left):
        task = Task.objects.filter(pk=task_id).only(*SHOWN).first()
        by = answering(task) if task else None
        if by is None or by.is_terminal:
            return by
        task_id = by.pk
    return None
