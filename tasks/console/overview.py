"""Overview: current counts and workers, and the last hour's results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from tasks import formatting, invariants, stats
from tasks.console import badges
from tasks.console.chart import bars
from tasks.console.permissions import is_viewer
from tasks.models import Alert, Lane
from tasks.stats.findings import Level
from tasks.stats.health import check_health
from tasks.stats.last_hour import last_hour

# Of the open alerts, the newest are named.
MOST_ALERTS = 5


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Fill the admin's index page for a user who may view tasks."""
    if is_viewer(request):
        context |= {"title": "Overview", "is_viewer": True, **_now(), **_hour()}
    return context


def now(request: HttpRequest) -> HttpResponse:
    """Render the current counts, refreshed every few seconds."""
    return _fragment(request, "admin/tasks/overview_now.html", _now)


def hour(request: HttpRequest) -> HttpResponse:
    """Render the last hour, which costs more and is refreshed less often."""
    return _fragment(request, "admin/tasks/overview_hour.html", _hour)


def _fragment(
    request: HttpRequest, template: str, figures: Callable[[], dict[str, Any]]
) -> HttpResponse:
    if not is_viewer(request):
        raise PermissionDenied
    return TemplateResponse(request, template, figures())


def _now() -> dict[str, Any]:
    status = stats.queues_status()
    workers = list(stats.workers())
    living = [worker for worker in workers if worker.liveness != stats.Liveness.DEAD]
    findings = check_health().findings
    return {
        "status": status,
        **_alerts(),
        "counted": formatting.relative_time(status.now),
        "oldest": formatting.duration(status.oldest_age),
        "alive": sum(worker.liveness == stats.Liveness.ALIVE for worker in workers),
        "slots": sum(worker.concurrency for worker in living),
        "troubles": [
            (badges.badge(finding.level), name.capitalize(), finding)
            for name, finding in findings.items()
            if finding.level != Level.OK
        ],
        "lanes": _lanes(status),
        "queues": [
            (name, load, formatting.duration(load.oldest_age), badges.badge("paused"))
            for name, load in status.by_queue.items()
        ],
        "workers": [
            (worker, badges.badge(worker.liveness), formatting.relative_time(worker.heartbeat_at))
            for worker in workers
        ],
        **_invariants(),
    }


def _invariants() -> dict[str, Any]:
    """Return the last check of the invariants."""
    report = invariants.last_report()
    if report is None:
        return {"report": None}
    return {
        "report": report,
        "checked": formatting.relative_time(report.at),
        "check_took": formatting.duration(report.seconds),
        "invariants": len(invariants.INVARIANTS),
    }


def _alerts() -> dict[str, Any]:
    alerts = list(Alert.objects.open()[: MOST_ALERTS + 1])
    return {"alerts": alerts[:MOST_ALERTS], "has_more_alerts": len(alerts) > MOST_ALERTS}


def _hour() -> dict[str, Any]:
    hour = last_hour()
    minutes = hour.minutes
    completed = sum(minute.completed for minute in minutes)
    failed = sum(minute.failed for minute in minutes)
    return {
        "chart": bars(minutes),
        "completed": completed,
        "failed": failed,
        "per_minute": f"{completed / len(minutes):.1f}",
        "share_failed": f"{100 * failed / (completed + failed):.1f} %" if failed else "0 %",
        "worst": hour.worst,
    }


def _lanes(status: stats.QueuesStatus) -> list[dict[str, Any]]:
    counts = [
        (Lane.PRIMARY, status.primary),
        (Lane.RETRY, status.retry),
        (Lane.SCHEDULED, status.scheduled),
        (Lane.DLQ, status.dlq),
    ]
    most = max(1, *(count for _, count in counts))
    tasks = reverse("admin:tasks_task_changelist")
    return [
        {
            "label": Lane(lane).label,
            "link": f"{tasks}?{urlencode({'lane': lane.value})}",
            "fill": badges.COLOURS[lane],
            "count": count,
            "width": f"{100 * count / most:.1f}",
        }
        for lane, count in counts
    ]
