"""Delays: make scheduled tasks due at once."""

from __future__ import annotations

from tests.faults.harness.queries import Queries


def make_all_due(queries: Queries, *, kind: str | None = None) -> None:
    """Make every scheduled task, or those of a kind, due now and notify the workers."""
    queries.rows(
        "UPDATE procrastinate_jobs SET scheduled_at = clock_timestamp()"
        " WHERE status = 'todo' AND scheduled_at > clock_timestamp()"
        " AND (%(job)s::text IS NULL OR task_name = %(job)s)",
        {"job": kind and f"task:{kind}"},
    )
    queries.rows("SELECT pg_notify('procrastinate_any_queue_v1', '{}')")
