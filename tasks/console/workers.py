"""The workers: who is alive, since when, and what they did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import SafeString

from tasks import stats
from tasks.console import badges, formatting
from tasks.console.permissions import EngineAdmin
from tasks.models import Worker

if TYPE_CHECKING:
    from tasks.stats.worker_states import SeenWorker


class WorkerAdmin(EngineAdmin):
    """Worker processes; a dead one stays for a while, to be seen."""

    list_display = (
        "name",
        "state_badge",
        "heartbeat",
        "load",
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
        """Go to the tasks that the worker holds."""
        return redirect(f"{reverse('admin:tasks_task_changelist')}?worker_id={quote(object_id)}")

    @admin.display(description="State")
    def state_badge(self, worker: SeenWorker) -> SafeString:
        """Label the state."""
        return badges.badge(worker.liveness)

    @admin.display(description="Heartbeat")
    def heartbeat(self, worker: Worker) -> SafeString:
        """Tell how old the last sign of life is."""
        return formatting.ago(worker.heartbeat_at)

    @admin.display(description="Running")
    def load(self, worker: Worker) -> str:
        """Tell how many of its slots are busy."""
        return f"{worker.running} / {worker.concurrency}"

    @admin.display(description="Queues")
    def queue_names(self, worker: Worker) -> str:
        """Name its queues."""
        return ", ".join(worker.queues) or "all"

    @admin.display(description="Started")
    def started(self, worker: Worker) -> SafeString:
        """Tell when it began."""
        return formatting.ago(worker.started_at)

    @admin.display(description="Host, pid")
    def process(self, worker: Worker) -> str:
        """Tell where to find its process."""
        return f"{worker.host}, {worker.pid}"
