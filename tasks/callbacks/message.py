"""The message to a receiver: small; large or secret data is fetched with an API key."""

from __future__ import annotations

from typing import Any

import orjson

from tasks.models import Batch, Status, Task
from tasks.stats import batch_progress

# A larger result is left out; the link leads to it.
RESULT_LIMIT = 20_000
_PLURALS = {"workflow": "workflows", "batch": "batches"}


def message(task: Task, *, status: str, ended_at: str | None) -> str:
    """Return the message about the end of a task, as JSON.

    `status` and `ended_at` are those of the reported end: since then the task may have been retried
    by hand, and its present result or error would belong to another end.
    """
    same = task.status == status
    result = task.result if same and status == Status.COMPLETED else None
    data: dict[str, Any] = {
        "task_id": str(task.pk),
        "kind": task.kind,
        "status": status,
        "result": result if len(orjson.dumps(result)) <= RESULT_LIMIT else None,
        "error": task.error if same and status != Status.COMPLETED else None,
        "metadata": task.metadata,
        "links": {"self": f"/api/v1/tasks/{task.pk}"},
    }
    return orjson.dumps(
        {"type": f"task.{status.lower()}", "timestamp": ended_at, "data": data}
    ).decode()


def batch_message(batch: Batch, *, outcome: str, ended_at: str | None) -> str:
    """Return the message about the end of a batch or a workflow, as JSON."""
    noun = "workflow" if batch.is_workflow else "batch"
    data: dict[str, Any] = {
        f"{noun}_id": str(batch.pk),
        "name": batch.name,
        "status": outcome.lower(),
        "counts": batch_progress(batch).counts,
        "links": {"self": f"/api/v1/{_PLURALS[noun]}/{batch.pk}"},
    }
    return orjson.dumps(
        {"type": f"{noun}.{outcome.lower()}", "timestamp": ended_at, "data": data}
    ).decode()
