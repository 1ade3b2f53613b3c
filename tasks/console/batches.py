"""Batches and their progress."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.paginator import InfinitePaginator
from unfold.views import ChangeList

from tasks import formatting, stats
from tasks.console.permissions import EngineAdmin
from tasks.models import Batch, Status
from tasks.models.owned import OwnedQuerySet
from tasks.models.task import TERMINAL

# Not fetched: the ids of up to 10,000 tasks.
UNSEEN = "submitted_ids"
FILLS = {
    Status.COMPLETED: "good",
    Status.FAILED: "bad",
    Status.CANCELLED: "quiet",
    Status.PROCESSING: "running",
}


class BatchList(ChangeList):
    """A page of batches with their task counts."""

    def get_results(self, request: HttpRequest) -> None:
        """Fetch the page and count its batches' tasks in one query."""
        super().get_results(request)
        self.result_list = list(self.result_list)
        counts = stats.batch_counts([batch.pk for batch in self.result_list])
        for batch in self.result_list:
            batch.counts = counts.get(batch.pk, {})


class BatchAdmin(EngineAdmin):
    """Batches; the task list shows their tasks."""

    list_display = ("id", "progress", "ended", "failed", "total", "owner", "created")
    list_before_template = "admin/tasks/refresh_list.html"  # type: ignore[assignment]
    list_per_page = 50
    paginator = InfinitePaginator

    def get_queryset(self, request: HttpRequest) -> OwnedQuerySet[Batch]:
        """Fetch batches with their owners."""
        return Batch.objects.visible_to(request.user).select_related("owner").defer(UNSEEN)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        """Use the list with task counts."""
        return BatchList

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Redirect to the batch's tasks."""
        return redirect(f"{reverse('admin:tasks_task_changelist')}?batch={quote(object_id)}")

    @admin.display(description="Progress")
    def progress(self, batch: Batch) -> SafeString:
        """Draw the share of each status."""
        counts = _counts(batch)
        size = max(1, sum(counts.values()))
        parts = (
            (fill, f"{100 * counts.get(status, 0) / size:.1f}", Status(status).label)
            for status, fill in FILLS.items()
        )
        bars = format_html_join(
            "", '<span class="ops-fill-{}" style="width:{}%" title="{}"></span>', parts
        )
        return format_html('<div class="ops-meter">{}</div>', bars)

    @admin.display(description="Ended")
    def ended(self, batch: Batch) -> int:
        """Count the tasks that have ended."""
        return sum(_counts(batch).get(status, 0) for status in TERMINAL)

    @admin.display(description="Failed")
    def failed(self, batch: Batch) -> int:
        """Count the failed tasks."""
        return _counts(batch).get(Status.FAILED, 0)

    @admin.display(description="Created")
    def created(self, batch: Batch) -> SafeString:
        """Show when the batch was submitted."""
        return formatting.relative_time(batch.created_at)


def _counts(batch: Batch) -> dict[str, int]:
    counts: dict[str, int] = getattr(batch, "counts", {})
    return counts
