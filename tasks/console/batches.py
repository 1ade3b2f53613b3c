"""Batches and workflows: their progress, a workflow's drawing, cancel and retry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.paginator import InfinitePaginator
from unfold.views import ChangeList

from tasks import formatting, lifecycle, stats
from tasks.console import badges
from tasks.console.audit import record
from tasks.console.permissions import EngineAdmin, is_operator, require_operator
from tasks.filter_values import require_usable
from tasks.models import Batch, Status, Task
from tasks.models.owned import OwnedQuerySet
from tasks.models.task import TERMINAL, parse_task_id
from tasks.stats import BatchStatus

# Not fetched: the ids of up to 10,000 tasks.
UNSEEN = "submitted_ids"
FILLS = {
    Status.COMPLETED: "good",
    Status.FAILED: "bad",
    Status.CANCELLED: "quiet",
    Status.PROCESSING: "running",
}


@dataclass(frozen=True)
class Verb:
    """What an operator may do with a batch."""

    run: Callable[[Batch], int]
    participle: str


VERBS = {
    "cancel": Verb(lifecycle.cancel_batch, "cancelled"),
    "retry": Verb(lifecycle.retry_batch, "queued again"),
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
    """Batches and workflows; the task list shows their tasks."""

    list_display = ("named", "state", "progress", "ended", "failed", "members", "owner", "created")
    list_before_template = "admin/tasks/refresh_list.html"  # type: ignore[assignment]
    list_per_page = 50
    paginator = InfinitePaginator

    def get_queryset(self, request: HttpRequest) -> OwnedQuerySet[Batch]:
        """Fetch batches with their owners."""
        return Batch.objects.visible_to(request.user).select_related("owner").defer(UNSEEN)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        """Use the list with task counts."""
        return BatchList

    def get_urls(self) -> list[URLPattern]:
        """Add the route to cancel or retry a batch."""
        view = self.admin_site.admin_view(self.act)
        return [
            path("<anycase_uuid:object_id>/act/", view, name="tasks_batch_act"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show how a batch stands, and a workflow's tasks as a drawing."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        batch = _get(request, object_id)
        progress = stats.batch_progress(batch)
        is_alive = progress.status in (BatchStatus.OPEN, BatchStatus.RUNNING)
        undone = progress.counts[Status.FAILED] + progress.counts[Status.CANCELLED]
        is_ours = is_operator(request)
        context = {
            **self.admin_site.each_context(request),
            "title": str(batch.name or batch),
            "opts": Batch._meta,
            "batch": batch,
            "progress": progress,
            "badge": badges.badge(f"batch {progress.status}", progress.status.label),
            "meter": _meter(progress.counts),
            "counts": [(label, progress.counts[value]) for value, label in Status.choices],
            "created": formatting.relative_time(batch.created_at),
            "ended": formatting.relative_time(progress.finished_at),
            "then": Task.objects.filter(pk=batch.then_id).first() if batch.then_id else None,
            "graph": stats.workflow_graph(batch, url_of=_page_of) if batch.is_workflow else None,
            "is_alive": is_alive,
            "may_cancel": is_ours and is_alive,
            "may_retry": is_ours and undone > 0,
        }
        return TemplateResponse(request, "admin/tasks/batch.html", context)

    def act(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Cancel or retry the tasks of a batch."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        require_operator(request)
        require_usable(request.POST, names=("verb",))
        verb = VERBS.get(request.POST.get("verb", ""))
        if verb is None:
            raise Http404
        batch = _get(request, str(object_id))
        number = verb.run(batch)
        record(request.user, [batch], f"{verb.participle.capitalize()}: {number} tasks.")
        messages.success(request, f"{number} tasks were {verb.participle}.")
        return redirect("admin:tasks_batch_change", batch.pk)

    @admin.display(description="Batch")
    def named(self, batch: Batch) -> str:
        """Show the name, or the id."""
        return batch.name or str(batch.pk)

    @admin.display(description="State")
    def state(self, batch: Batch) -> SafeString:
        """Show how the batch stands."""
        status = stats.batch_status(batch, _counts(batch))
        return badges.badge(f"batch {status}", status.label)

    @admin.display(description="Tasks")
    def members(self, batch: Batch) -> int:
        """Count the tasks; follow-ups may be among them."""
        return max(batch.total, sum(_counts(batch).values()))

    @admin.display(description="Progress")
    def progress(self, batch: Batch) -> SafeString:
        """Draw the share of each status."""
        return _meter(_counts(batch))

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


def _meter(counts: Mapping[str, int]) -> SafeString:
    size = max(1, sum(counts.values()))
    parts = (
        (fill, f"{100 * counts.get(status, 0) / size:.1f}", Status(status).label)
        for status, fill in FILLS.items()
    )
    bars = format_html_join(
        "", '<span class="ops-fill-{}" style="width:{}%" title="{}"></span>', parts
    )
    return format_html('<div class="ops-meter">{}</div>', bars)


def _get(request: HttpRequest, object_id: str) -> Batch:
    batch_id = parse_task_id(object_id)
    batches = Batch.objects.visible_to(request.user).select_related("owner").defer(UNSEEN)
    return get_object_or_404(batches, pk=batch_id)


def _page_of(task: Task) -> str:
    return reverse("admin:tasks_task_change", args=[task.pk])
