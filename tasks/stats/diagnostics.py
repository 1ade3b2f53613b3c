"""Diagnostics for operators: workers, longest runs, database sessions and versions."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

from django.db import connection
from django.db.models.functions import Now

from tasks import stats
from tasks.models import Status, Task, Worker
from tasks.stats.database import IS_CLIENT
from tasks.stats.health import check_health

SLOWEST = 20
_LIBRARIES = ("django", "djangorestframework", "procrastinate", "psycopg")
_SESSIONS = f"""
    SELECT coalesce(nullif(application_name, ''), 'other'), coalesce(state, 'background'), count(*)
    FROM pg_stat_activity
    WHERE datname = current_database() AND {IS_CLIENT}
    GROUP BY 1, 2
    ORDER BY 1, 2
"""  # noqa: S608 our own names


def worker_diagnostics() -> dict[str, Any]:
    """Return every worker with what it runs, the longest runs, the sessions and the versions.

    Times in seconds and memory in KiB, by the database's clock.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp(), current_setting('max_connections')::int")
        now, max_connections = cursor.fetchone()
        cursor.execute(_SESSIONS)
        sessions = [
            {"application": name, "state": state, "count": count}
            for name, state, count in cursor.fetchall()
        ]
    running: dict[int | None, list[str]] = {}
    processing = Task.objects.filter(status=Status.PROCESSING).order_by("started_at")
    for worker_id, task_id in processing.values_list("worker_id", "id"):
        running.setdefault(worker_id, []).append(str(task_id))
    return {
        "workers": [
            {
                "id": worker.id,
                "name": worker.name,
                "state": worker.liveness,
                "uptime": round((now - worker.started_at).total_seconds(), 1),
                "memory_kib": worker.memory_kib,
                "running_tasks": running.get(worker.id, []),
            }
            for worker in stats.workers()
        ],
        "checks": {
            name: {
                "status": finding.level,
                "message": finding.message,
                "names": list(finding.names),
            }
            for name, finding in check_health().findings.items()
        },
        "slow_tasks": _longest_runs(),
        "database": {
            "version": _server(),
            "max_connections": max_connections,
            "sessions": sessions,
        },
        "versions": {"python": platform.python_version()}
        | {library: version(library) for library in _LIBRARIES},
        "timestamp": now,
    }


def _longest_runs() -> list[dict[str, Any]]:
    """Return the tasks that have been running longest, longest first."""
    names: dict[int | None, str] = dict(Worker.objects.values_list("id", "name"))
    running: Any = Task.objects.filter(status=Status.PROCESSING)
    runs = running.annotate(now=Now()).order_by("started_at")
    return [
        {
            "task_id": task.pk,
            "kind": task.kind,
            "attempt": task.attempt,
            "worker": names.get(task.worker_id, ""),
            "seconds": round((task.now - task.started_at).total_seconds(), 1),
        }
        for task in runs[:SLOWEST]
    ]


def _server() -> str:
    return ".".join(map(str, connection.get_database_version()))
