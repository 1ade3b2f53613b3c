"""Storage: counts of the rows that the engine keeps and of the tasks that can be pruned."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.db.models.functions import Now

from tasks.models import Attempt, Batch, Queue, Status, Task


def holdings() -> dict[str, int]:
    """Count the rows that the engine keeps besides tasks and workers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE task_name LIKE 'task:%'")
        (jobs,) = cursor.fetchone()
    return {
        "jobs": jobs,
        "ended attempts": Attempt.objects.count(),
        "batches": Batch.objects.count(),
        "queues switched": Queue.objects.count(),
    }


def prunable() -> int:
    """Count the tasks that ended longer ago than their retention."""
    unfailed = Q(status__in=(Status.COMPLETED, Status.CANCELLED))
    done = Q(unfailed, finished_at__lt=_days_ago(settings.RETENTION_COMPLETED_DAYS))
    failed = Q(status=Status.FAILED, finished_at__lt=_days_ago(settings.RETENTION_FAILED_DAYS))
    return Task.objects.filter(done | failed).count()


def _days_ago(days: int) -> Any:
    return Now() - dt.timedelta(days=days)
