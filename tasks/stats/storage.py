"""Storage: counts of the rows that the engine keeps and of the tasks that can be pruned."""

from __future__ import annotations

import datetime as dt

from django.db import connection
from django.db.models import DurationField, ExpressionWrapper, F, Q, Value
from django.db.models.functions import Now

from tasks.models import Attempt, Batch, Queue, Task
from tasks.models.retention import retention


def holdings() -> dict[str, int]:
    """Count the rows that the engine keeps besides tasks and workers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE task_name LIKE 'task:%'")
        (jobs,) = cursor.fetchone()
    return {
        "jobs": jobs,
        "ended attempts": Attempt.objects.count(),
        "batches": Batch.objects.count(),
        "queue switches": Queue.objects.count(),
    }


def prunable() -> int:
    """Count the tasks that ended longer ago than their retention."""
    # Without a limit, nothing is due: an empty Q would be everything.
    due = Q(pk__in=[])
    for statuses, days in retention():
        ended = Now() - dt.timedelta(days=days)
        due |= Q(status__in=statuses, finished_at__lt=ended, keep_days=None)
    day = Value(dt.timedelta(days=1), output_field=DurationField())
    kept = ExpressionWrapper(F("keep_days") * day, output_field=DurationField())
    due |= Q(keep_days__gt=0, finished_at__lt=Now() - kept)
    return Task.objects.filter(due).count()
