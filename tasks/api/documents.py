"""Tasks, batches and kinds as the API shows them."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Mapping
from typing import Any
from zlib import crc32

from django.urls import reverse

from tasks.kinds import Kind
from tasks.models import Attempt, Batch, Task
from tasks.models.task import RETRYABLE
from tasks.stats import BatchProgress

# All that a task's document depends on and that changes; small columns only.
CHANGING = (
    "status", "lease", "attempt", "max_attempts", "progress", "progress_message",
    "cancel_requested", "scheduled_at", "started_at", "finished_at",
)  # fmt: skip


def task_document(task: Task, *, with_tracebacks: bool = False) -> dict[str, Any]:
    """Return everything about one task; reads its attempts when it has an error."""
    document = task_summary(task)
    document["input"] = task.input
    document["result"] = task.result
    if task.error is not None:
        ended = task.attempts.order_by("lease")
        document["error"] = {
            **task.error,
            "attempts": [_attempt(one, with_traceback=with_tracebacks) for one in ended],
        }
    return document


def task_summary(task: Task) -> dict[str, Any]:
    """Return a task as lists show it: without what may be large."""
    return {
        "task_id": task.id,
        "kind": task.kind,
        "queue": task.queue,
        "priority": task.priority,
        "status": task.status,
        "lane": task.lane,
        "progress": task.progress,
        "progress_message": task.progress_message,
        "attempt": task.attempt,
        "retry_count": task.retry_count,
        "max_attempts": task.max_attempts,
        "error": task.error,
        "created_at": task.created_at,
        "scheduled_at": task.scheduled_at,
        "started_at": task.started_at,
        "finished_at": task.finished_at,
        "cancel_requested": task.cancel_requested,
        "callback_url": task.callback_url or None,
        "batch_id": task.batch_id,
        "metadata": task.metadata,
        "links": _links(task),
    }


def task_etag(task: Task, *, with_tracebacks: bool = False) -> str:
    """Return a weak entity tag that differs whenever the task's document does."""
    state = [getattr(task, name) for name in CHANGING]
    digest = crc32(repr((state, task.lane, with_tracebacks)).encode())
    return f'W/"{task.lease}-{digest:08x}"'


def batch_document(batch: Batch, progress: BatchProgress) -> dict[str, Any]:
    """Return how far a batch is."""
    own = path_to("api:batch", batch.id)
    return {
        "batch_id": batch.id,
        "total": batch.total,
        "counts": progress.counts,
        "progress": progress.percent,
        "created_at": batch.created_at,
        "finished_at": progress.finished_at,
        "links": {"self": own, "tasks": f"{reverse('api:tasks')}?batch={batch.id}"},
    }


def kind_document(kind: Kind) -> dict[str, Any]:
    """Return what a caller needs to know about a kind."""
    return {
        "name": kind.name,
        "description": kind.description,
        "input_schema": kind.schema,
        "queue": kind.queue,
        "priority": kind.priority,
        "limits": {"soft_time_limit": kind.soft_time_limit, "time_limit": kind.time_limit},
        "retry": {
            "max_retries": kind.retry.max_retries,
            "delay": kind.retry.delay,
            "cap": kind.retry.cap,
        },
        "batchable": kind.batchable,
        "transactional": kind.transactional,
    }


def path_to(route: str, id: uuid.UUID) -> str:
    """Return the path of one resource."""
    return _pattern(route).replace(_PLACEHOLDER, str(id))


_PLACEHOLDER = str(uuid.UUID(int=0))


@functools.cache
def _pattern(route: str) -> str:
    # Reversing costs more than all else about a link, and lists have many.
    return reverse(route, args=[_PLACEHOLDER])


def _links(task: Task) -> dict[str, str | None]:
    own = path_to("api:task", task.id)
    return {
        "self": own,
        "status_page": path_to("tasks-ui:task-detail", task.id),
        "retry": f"{own}/retry" if task.status in RETRYABLE else None,
        "cancel": None if task.is_terminal else f"{own}/cancel",
    }


def _attempt(attempt: Attempt, *, with_traceback: bool) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "outcome": attempt.outcome,
        "worker": attempt.worker,
        "started_at": attempt.started_at,
        "finished_at": attempt.finished_at,
        "error": _attempt_error(attempt.error, with_traceback=with_traceback),
    }


def _attempt_error(
    error: Mapping[str, Any] | None, *, with_traceback: bool
) -> dict[str, Any] | None:
    if error is None:
        return None
    return {name: value for name, value in error.items() if with_traceback or name != "traceback"}
