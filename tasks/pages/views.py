"""Pages: submit a task, show its status, cancel or retry it."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HTMX_STOP_POLLING

from tasks import kinds, lifecycle
from tasks.access import may_change
from tasks.errors import TaskGone, UnknownKind, WrongStatus
from tasks.filter_values import UnusableParameter, require_usable
from tasks.models import Status, Task
from tasks.models.task import TaskQuerySet, parse_task_id
from tasks.pages.cursor import task_page
from tasks.pages.forms import InputForm
from tasks.pages.permissions import for_visitors, owner_of_new
from tasks.pages.task_status import StatusPanel

LATEST = 5
LIST_FILTERS = ("status", "before")


@require_safe
@for_visitors
def home(request: HttpRequest) -> HttpResponse:
    """Show the form of HOME_KIND, the visitor's latest tasks and all kinds."""
    registered = kinds.all_kinds()
    kind = registered.get(getattr(settings, "HOME_KIND", ""))
    context = {
        "kind": kind,
        "form": InputForm(kind=kind) if kind else None,
        "kinds": registered.values(),
        "page": task_page(_own(request), size=LATEST),
    }
    return render(request, "tasks/home.html", context)


@for_visitors
def submit(request: HttpRequest, name: str) -> HttpResponse:
    """Show the form of a kind; submit a task from it."""
    try:
        kind = kinds.get(name)
    except UnknownKind as unknown:
        raise Http404(str(unknown)) from unknown
    form = InputForm(request.POST if request.method == "POST" else None, kind=kind)
    if form.is_valid():
        task = lifecycle.submit(kind.name, form.input, owner=owner_of_new(request))
        return redirect("tasks-ui:task-detail", task.pk)
    status = 422 if form.is_bound else 200
    return render(request, "tasks/kind.html", {"kind": kind, "form": form}, status=status)


@require_safe
@for_visitors
def task_list(request: HttpRequest) -> HttpResponse:
    """List the visitor's own tasks, newest first."""
    require_usable(request.GET, names=LIST_FILTERS)
    status, before, tasks = request.GET.get("status", ""), request.GET.get("before"), _own(request)
    if status and status not in Status.values:
        raise UnusableParameter("status: There is no such status.")
    if before and not parse_task_id(before):
        raise UnusableParameter("before: This is not the ID of a task.")
    if status:
        tasks = tasks.filter(status=status)
    page = task_page(tasks, before=parse_task_id(before))
    context = {"page": page, "selected": status, "statuses": Status.choices}
    return render(request, "tasks/task_list.html", context)


@require_safe
@for_visitors
def task_detail(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    """Show everything about one task."""
    task = _visible(request, task_id)
    context = {"panel": StatusPanel.of(task, visitor=request.user)}
    return render(request, "tasks/task_detail.html", context)


@require_safe
@for_visitors
def task_status(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    """Return the live part of a task's page; polling stops when the task has ended."""
    task = _visible(request, task_id, without=["input", "metadata"])
    context = {
        "panel": StatusPanel.of(task, visitor=request.user),
        "is_changed": request.GET.get("seen") != task.status,
    }
    status = HTMX_STOP_POLLING if task.is_terminal else 200
    return render(request, "tasks/task_status.html", context, status=status)


@require_POST
@for_visitors
def task_cancel(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    """Cancel a task."""
    return _apply(request, task_id, lifecycle.cancel)


@require_POST
@for_visitors
def task_retry(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    """Queue a failed or cancelled task again."""
    return _apply(request, task_id, lifecycle.retry)


def _apply(request: HttpRequest, task_id: uuid.UUID, verb: Callable[[Task], Task]) -> HttpResponse:
    task = _visible(request, task_id)
    if not may_change(request.user, owner_id=task.owner_id):
        raise PermissionDenied
    try:
        verb(task)
    except TaskGone as gone:
        raise Http404 from gone
    except WrongStatus as error:
        messages.warning(request, str(error))
    return redirect("tasks-ui:task-detail", task_id)


def _own(request: HttpRequest) -> TaskQuerySet:
    """Return the tasks that the visitor owns, even for staff who may see all."""
    return Task.objects.visible_to(request.user).filter(owner=owner_of_new(request))


def _visible(request: HttpRequest, task_id: uuid.UUID, *, without: list[str] | None = None) -> Task:
    tasks = Task.objects.visible_to(request.user).for_detail().defer(*(without or ()))
    return get_object_or_404(tasks, pk=task_id)
