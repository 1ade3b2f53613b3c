"""Kind `maintenance.cleanup`: deletes old tasks, webhook events and sessions."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.conf import settings

from analysis.input_schema import input_schema
from analysis.models import WebhookEvent
from analysis.models.webhook_event import EVENTS_KEPT
from tasks import lifecycle, sql, stats
from tasks.kinds import Context

CHUNK = 1_000

INPUT = input_schema({})


def handle(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Delete tasks past their retention, old webhook events and expired sessions.

    It deletes in batches and commits each, so a task that is stopped has done a part of the work.
    """
    tasks, events = _tasks(context), _webhook_events(context)
    context.progress(95, "sessions")
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
    return {
        "tasks_deleted": tasks,
        "webhook_events_deleted": events,
        "completed_kept_days": settings.RETENTION_COMPLETED_DAYS,
        "failed_kept_days": settings.RETENTION_FAILED_DAYS,
    }


def _tasks(context: Context) -> int:
    deleted, total = 0, stats.prunable()
    context.check()
    for batch in lifecycle.prune_batches():
        deleted += batch
        context.progress(80 * min(1.0, deleted / total) if total else 80, f"{deleted:,} tasks")
        context.check()
    return deleted


def _webhook_events(context: Context) -> int:
    deleted = 0
    # Fixed at the start: events that reach their age meanwhile are left for the next run.
    old = WebhookEvent.objects.filter(received_at__lt=sql.database_now() - EVENTS_KEPT).order_by()
    while True:
        context.progress(85, f"{deleted:,} webhook events")
        context.check()
        batch, _ = WebhookEvent.objects.filter(
            pk__in=list(old.values_list("pk", flat=True)[:CHUNK])
        ).delete()
        if not batch:
            return deleted
        deleted += batch
