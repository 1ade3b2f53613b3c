"""Reply task: the task that makes a reply, and its status."""

from __future__ import annotations

import time
import uuid
from typing import Any

from analysis.celery_states import celery_state
from tasks import long_poll, stats
from tasks.models import Status, Task

FIELDS = ("id", "owner_id", "kind", "status", "attempt", "progress", "result", "error")
DOCUMENTED = ("conversation_id", "ai_response")


def reply_task(task: Task) -> Task:
    """Return the task that answers a platform's event; any other task itself."""
    # The result of an event names the tasks that answer it; no other result has such a list.
    answers = task.status == Status.COMPLETED and task.result and task.result.get("tasks")
    if not answers:
        return task
    replies = Task.objects.filter(pk=answers[0], owner_id=task.owner_id)
    return replies.only(*FIELDS).first() or task


def reply_state(task: Task, reply: Task) -> str:
    """Return Celery's word for the status of a task and its reply task."""
    state = celery_state(reply)
    return "STARTED" if reply is not task and state == "PENDING" else state


def documented_result(task: Task) -> dict[str, Any] | None:
    """Return the result of a task, in the documented shape if it is a reply."""
    result: dict[str, Any] | None = task.result
    if result and all(name in result for name in DOCUMENTED):
        return {name: result[name] for name in DOCUMENTED}
    return result


def wait_for_reply(task_id: uuid.UUID, *, seconds: float) -> Task | None:
    """Return the reply task once it has ended; None when that takes longer.

    Returns None at once when no worker is alive, or when too many requests wait already.
    """
    end = time.monotonic() + seconds
    if not stats.worker_counts()[stats.Liveness.ALIVE]:
        return None
    while (left := end - time.monotonic()) > 0 and long_poll.until_ended(task_id, seconds=left):
        task = Task.objects.filter(pk=task_id).only(*FIELDS).first()
        reply = reply_task(task) if task else None
        if reply is None or reply.is_terminal:
            return reply
        task_id = reply.pk
    return None
