"""Job rows of procrastinate, read by tests."""

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
    # None also for a blocked job.
    scheduled_at: dt.datetime | None
    task_id: str
    # None without limits; 0 outside any line.
    line: int | None


def jobs() -> list[JobRow]:
    """Return every job."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, queue_name, priority, status::text,"
            " CASE WHEN isfinite(scheduled_at) THEN scheduled_at END, args ->> 'task_id',"
            " tasks_line FROM procrastinate_jobs ORDER BY id"
        )
        return [JobRow(*row) for row in cursor.fetchall()]


def job_of(task: Task) -> JobRow:
    """Return the job that the stored task names."""
    job_id = Task.objects.values_list("job_id", flat=True).get(pk=task.pk)
    (job,) = [job for job in jobs() if job.id == job_id]
    return job


def execute(statement: str, params: Any = None) -> list[tuple[Any, ...]]:
    """Run a statement of the test's own; return its rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return list(cursor.fetchall()) if cursor.description else []


def has_waiting_session() -> bool:
    """Return whether a session of this database waits for a lock."""
    [[count]] = execute(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return bool(count)
