"""Queues: task counts of each, and the switch to pause or resume it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tasks import formatting, lifecycle, stats
from tasks.console import badges
from tasks.console.audit import record
from tasks.console.permissions import EngineAdmin, is_operator, require_operator
from tasks.filter_values import require_usable
from tasks.models import Limit, Queue
from tasks.postgres.text import storable

# Characters of the reason for a pause.
REASON_LENGTH = 200
PARTICIPLES = {"pause": "paused", "resume": "resumed"}


class QueueAdmin(EngineAdmin):
    """Queues of the kinds, queues with tasks, and queues that have been paused."""

    def get_urls(self) -> list[URLPattern]:
        """Add the route to pause or resume a queue."""
        view = self.admin_site.admin_view(self.switch)
        return [path("switch/", view, name="tasks_queue_switch"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        """List all queues."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        status = stats.queues_status()
        context = {
            **self.admin_site.each_context(request),
            "title": "Queues",
            "queues": _rows(status),
            "counted": formatting.relative_time(status.now),
            "operator": is_operator(request),
        }
        return TemplateResponse(request, "admin/tasks/queues.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Return 404: the list shows everything about a queue."""
        raise Http404

    def switch(self, request: HttpRequest) -> HttpResponse:
        """Pause or resume a queue."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        require_operator(request)
        require_usable(request.POST, names=("name", "verb"))
        name, verb = request.POST.get("name", ""), request.POST.get("verb", "")
        reason = storable(request.POST.get("reason", ""))[:REASON_LENGTH]
        if verb not in PARTICIPLES or name not in stats.queues_status().by_queue:
            raise Http404
        if verb == "pause":
            lifecycle.pause_queue(name, by=request.user.get_username(), reason=reason)
        else:
            lifecycle.resume_queue(name)
        record(request.user, [Queue(name=name)], f"Queue {PARTICIPLES[verb]}.")
        messages.success(request, f"Queue {name} was {PARTICIPLES[verb]}.")
        return redirect("admin:tasks_queue_changelist")


def _rows(status: stats.QueuesStatus) -> list[dict[str, Any]]:
    switches = {queue.name: queue for queue in Queue.objects.filter(paused=True)}
    return [
        {
            "name": name,
            "paused": load.paused,
            "why_paused": why_paused(switches.get(name)),
            "badge": badges.badge("paused" if load.paused else "open"),
            "pending": load.pending,
            "processing": load.processing,
            "oldest": formatting.duration(load.oldest_age),
        }
        for name, load in status.by_queue.items()
    ]


def why_paused(paused: Queue | Limit | None) -> SafeString | str:
    """Return since when a queue or a limit is paused, by whom and why, as far as it is known."""
    if paused is None or paused.paused_at is None:
        return ""
    by = f" by {paused.paused_by}" if paused.paused_by else ""
    reason = f": {paused.paused_reason}" if paused.paused_reason else ""
    return format_html("{}{}{}", formatting.relative_time(paused.paused_at), by, reason)
