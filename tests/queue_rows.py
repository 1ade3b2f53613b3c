"""procrastinate's job rows, as the tests look at them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db import connection

from tasks.models import Task


@dataclass(frozen=True)
class JobRow:
    id: int
    queue: str
    priority: int
    status: str
    scheduled_at: dt.datetime | None
    task_id: str


def jobs() -> list[JobRow]:
    """Return every job."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, queue_name, priority, status::text, scheduled_at, args ->> 'task_id'"
            " FROM procrastinate_jobs ORDER BY id"
        )
        return [JobRow(*row) for row in cursor.fetchall()]


def job_of(task: Task) -> JobRow:
    """Return the job that the stored task names."""
    wanted = Task.objects.values_list("job_id", flat=True).get(pk=task.pk)
    (job,) = [job for job in jobs() if job.id == wanted]
    return job


def execute(statement: str, wanted: Any = None) -> list[tuple[Any, ...]]:
    """Run a statement of the test's own; return its rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement, wanted)
        return list(cursor.fetchall()) if cursor.description else []
