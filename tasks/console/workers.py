"""Workers: their states, heartbeats and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import SafeString

from tasks import formatting, stats
from tasks.console import badges
from tasks.console.permissions import EngineAdmin
from tasks.models import Worker

if TYPE_CHECKING:
    from tasks.stats.worker_states import SeenWorker


class WorkerAdmin(EngineAdmin):
    """Worker processes; a dead one stays in the list for a while."""

    list_display = (
        "name",
        "state_badge",
        "heartbeat",
        "claimed",
        "processed",
        "failed",
        "queue_names",
        "started",
        "process",
    )
    show_full_result_count = True
    list_before_template = "admin/tasks/refresh_list.html"  # type: ignore[assignment]

    def get_queryset(self, request: HttpRequest) -> QuerySet[SeenWorker]:
        """Fetch workers with their states."""
        return stats.workers()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Redirect to the tasks that the worker has claimed."""
        return redirect(f"{reverse('admin:tasks_task_changelist')}?worker_id={quote(object_id)}")

    @admin.display(description="State")
    def state_badge(self, worker: SeenWorker) -> SafeString:
        """Show the state."""
        return badges.badge(worker.liveness)

    @admin.display(description="Heartbeat")
    def heartbeat(self, worker: Worker) -> SafeString:
        """Show the time of the last heartbeat."""
        return formatting.relative_time(worker.heartbeat_at)

    @admin.display(description="Claimed / slots")
    def claimed(self, worker: SeenWorker) -> str:
        """Show how many tasks it has claimed, and its slots."""
        return f"{worker.processing} / {worker.concurrency}"

    @admin.display(description="Queues")
    def queue_names(self, worker: Worker) -> str:
        """Show the queues it serves."""
        return ", ".join(worker.queues) or "all"

    @admin.display(description="Started")
    def started(self, worker: Worker) -> SafeString:
        """Show when it started."""
        return formatting.relative_time(worker.started_at)

    @admin.display(description="Host, PID")
    def process(self, worker: Worker) -> str:
        """Show the host and process ID."""
        return f"{worker.host}, {worker.pid}"
