"""Pages of batches and workflows: their progress, their tasks, cancel and retry."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from tasks import lifecycle, stats
from tasks.access import may_change
from tasks.filter_values import UnusableParameter, require_usable
from tasks.models import Batch, Status, Task
from tasks.models.task import parse_task_id
from tasks.pages.cursor import LIST_POLL_SECONDS, task_page
from tasks.pages.permissions import for_visitors
from tasks.stats import BatchStatus, workflow_graph


@require_safe
@for_visitors
def batch_detail(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """Show how a batch stands, and its tasks: a workflow's as a drawing."""
    require_usable(request.GET, names=("before",))
    before = request.GET.get("before")
    if before and not parse_task_id(before):
        raise UnusableParameter("before: This is not the ID of a task.")
    batch = _visible(request, batch_id)
    progress = stats.batch_progress(batch)
    is_alive = progress.status in (BatchStatus.OPEN, BatchStatus.RUNNING)
    is_allowed = may_change(request.user, owner_id=batch.owner_id)
    tasks = Task.objects.visible_to(request.user).filter(batch=batch.pk)
    context = {
        "batch": batch,
        "noun": "Workflow" if batch.is_workflow else "Batch",
        "progress": progress,
        "counts": [(label, progress.counts[value]) for value, label in Status.choices],
        "then": _then(request, batch),
        "graph": workflow_graph(batch, url_of=_page_of) if batch.is_workflow else None,
        "page": None if batch.is_workflow else task_page(tasks, before=parse_task_id(before)),
        "poll_seconds": LIST_POLL_SECONDS if is_alive else None,
        "may_cancel": is_allowed and is_alive,
        "may_retry": is_allowed
        and progress.counts[Status.FAILED] + progress.counts[Status.CANCELLED] > 0,
    }
    return render(request, "tasks/batch_detail.html", context)


@require_POST
@for_visitors
def batch_cancel(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """Cancel the tasks of a batch that have not ended."""
    return _apply(request, batch_id, lifecycle.cancel_batch)


@require_POST
@for_visitors
def batch_retry(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """Queue the failed and cancelled tasks of a batch again."""
    return _apply(request, batch_id, lifecycle.retry_batch)


def _apply(request: HttpRequest, batch_id: uuid.UUID, verb: Callable[[Batch], int]) -> HttpResponse:
    batch = _visible(request, batch_id)
    if not may_change(request.user, owner_id=batch.owner_id):
        raise PermissionDenied
    verb(batch)
    return redirect("tasks-ui:batch-detail", batch_id)


def _then(request: HttpRequest, batch: Batch) -> Task | None:
    """Return the task that follows the batch, if there is one."""
    if batch.then_id is None:
        return None
    return Task.objects.visible_to(request.user).filter(pk=batch.then_id).first()


def _visible(request: HttpRequest, batch_id: uuid.UUID) -> Batch:
    batches = Batch.objects.visible_to(request.user).defer("submitted_ids")
    return get_object_or_404(batches, pk=batch_id)


def _page_of(task: Task) -> str:
    return reverse("tasks-ui:task-detail", args=[task.pk])
