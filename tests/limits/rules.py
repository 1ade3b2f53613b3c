"""Limits written as rows, and what holds of permits and lines."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from tasks import lifecycle, sql
from tasks.models import Limit, Scope, Task
from tests.queue_rows import execute


def make_limit(scope: str = Scope.QUEUE, name: str = "default", **fields: Any) -> Limit:
    """Write a limit that applies."""
    now = timezone.now()
    return Limit.objects.create(scope=scope, name=name, changed_at=now, applies_at=now, **fields)


def due(task: Task) -> None:
    """Let the next attempt of a task be due now."""
    Task.objects.filter(pk=task.pk).update(scheduled_at=timezone.now())
    execute(
        "UPDATE procrastinate_jobs SET scheduled_at = now() - interval '1 s'"
        " WHERE args ->> 'task_id' = %s",
        [str(task.pk)],
    )


def permits() -> dict[str, int]:
    """Return how many permits are held for each key."""
    return dict(
        execute("SELECT key, count(*) FROM tasks_permit WHERE released_at IS NULL GROUP BY key")
    )


def blocked() -> int:
    """Return how many jobs are in lines."""
    ((count,),) = execute("SELECT count(*) FROM procrastinate_jobs WHERE tasks_line > 0")
    return int(count)


def stage(*, limit: int) -> float | None:
    """Stage once; return the seconds until the next time, 0 if there is more to do."""
    return lifecycle.stage(sql.run, limit=limit).due_in
