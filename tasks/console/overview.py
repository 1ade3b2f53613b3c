"""The overview: how the queue stands now, and how the last hour went."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from tasks import stats
from tasks.console import badges, wording
from tasks.console.chart import bars
from tasks.console.rights import VIEW
from tasks.models import Status, Task
from tasks.models.task import TaskQuerySet

WORST = 5


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Fill the admin's index; only for whoever may see tasks."""
    if request.user.has_perm(VIEW):
        context |= {"title": "Overview", "may_see": True, **_now(), **_hour(timezone.now())}
    return context


def now(request: HttpRequest) -> HttpResponse:
    """Render the part that is refreshed every few seconds."""
    return _fragment(request, "admin/tasks/overview_now.html", _now)


def hour(request: HttpRequest) -> HttpResponse:
    """Render the part about the last hour, which costs more and is refreshed less often."""
    return _fragment(request, "admin/tasks/overview_hour.html", lambda: _hour(timezone.now()))


def _fragment(
    request: HttpRequest, template: str, figures: Callable[[], dict[str, Any]]
) -> HttpResponse:
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    return TemplateResponse(request, template, figures())


def _now() -> dict[str, Any]:
    present = stats.present()
    workers = stats.workers()
    alive = [worker for worker, state in workers if state != "dead"]
    return {
        "present": present,
        "oldest": wording.span(present.oldest_age),
        "alive": len(alive),
        "slots": sum(worker.concurrency for worker in alive),
        "lanes": _lanes(present),
        "queues": [
            (name, load, wording.span(load.oldest_age), badges.badge("paused"))
            for name, load in present.by_queue.items()
        ],
        "workers": [
            (worker, badges.badge(state), wording.ago(worker.heartbeat_at))
            for worker, state in workers
        ],
    }


def _hour(moment: dt.datetime) -> dict[str, Any]:
    minutes = stats.ended_by_minute(now=moment)
    completed = sum(minute.completed for minute in minutes)
    failed = sum(minute.failed for minute in minutes)
    return {
        "chart": bars(minutes),
        "completed": completed,
        "failed": failed,
        "per_minute": f"{completed / len(minutes):.1f}",
        "share_failed": f"{100 * failed / (completed + failed):.1f} %" if failed else "0 %",
        "worst": stats.failure_groups(_failed_since(minutes[0].start))[:WORST] if failed else [],
    }


def _failed_since(moment: dt.datetime) -> TaskQuerySet:
    return Task.objects.filter(status=Status.FAILED, finished_at__gte=moment)


def _lanes(present: stats.Present) -> list[dict[str, Any]]:
    counts = [
        ("Primary", "primary", "waiting", present.primary),
        ("Retry", "retry", "warning", present.retry),
        ("Scheduled", "scheduled", "quiet", present.scheduled),
        ("Dead letters", "dlq", "bad", present.dlq),
    ]
    most = max(1, *(count for *_, count in counts))
    tasks = reverse("admin:tasks_task_changelist")
    return [
        {
            "label": label,
            "link": f"{tasks}?{urlencode({'lane': lane})}",
            "fill": fill,
            "count": count,
            "width": f"{100 * count / most:.1f}",
        }
        for label, lane, fill, count in counts
    ]
