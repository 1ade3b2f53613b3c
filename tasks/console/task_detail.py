"""One task's page: everything that is known about it, and what can be done to it."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from tasks.console import badges, formatting
from tasks.console.actions import DELETE, VERBS, apply
from tasks.console.permissions import EngineAdmin, is_operator, require_operator
from tasks.models import Attempt, Task
from tasks.models.attempt import history_of, worker_name
from tasks.models.task import TaskQuerySet, parse_task_id

LIST = "admin:tasks_task_changelist"
# Enough to recognise a selection by, on the page that asks to confirm.
NAMED = 20


def show(admin: EngineAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    """Render the page, or only its living part for the poll."""
    if not admin.has_view_permission(request):
        raise PermissionDenied
    task = _find(request, object_id)
    allowed = is_operator(request)
    context = {
        **admin.admin_site.each_context(request),
        "title": f"{task.kind} {task.pk}",
        "opts": Task._meta,
        "original": task,
        "task": task,
        "verbs": [verb for verb in VERBS.values() if allowed and verb.applies_to(task)],
        "facts": facts(task),
        "status_badge": badges.status_badge(task),
        "payloads": _payloads(task),
        "attempts": [_told(attempt) for attempt in reversed(history_of(task))],
    }
    living = request.headers.get("HX-Request") == "true"
    template = "admin/tasks/task_living.html" if living else "admin/tasks/task.html"
    return TemplateResponse(request, template, context)


def act(admin: EngineAdmin, request: HttpRequest, task_id: uuid.UUID, verb: str) -> HttpResponse:
    """Do a verb to one task and go back to it; deleting asks first."""
    if verb not in VERBS:
        raise Http404
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    require_operator(request)
    chosen = Task.objects.visible_to(request.user).filter(pk=task_id)
    task = get_object_or_404(chosen)
    if verb == DELETE.name and "confirmed" not in request.POST and DELETE.applies_to(task):
        return confirm(admin, request, chosen)
    report = apply(VERBS[verb], [task_id], user=request.user)
    if report.done:
        messages.success(request, str(report))
    else:
        messages.error(request, f"A task that is {task.status} cannot be {VERBS[verb].done}.")
    if verb == DELETE.name and report.done:
        return redirect(LIST)
    return redirect("admin:tasks_task_change", task_id)


def confirm(
    admin: EngineAdmin, request: HttpRequest, chosen: TaskQuerySet, *, action: str = ""
) -> TemplateResponse:
    """Ask whether these tasks shall really be deleted; `action` names that of the list."""
    context = {
        **admin.admin_site.each_context(request),
        "title": "Delete tasks",
        "chosen": [(task, badges.status_badge(task)) for task in chosen[:NAMED]],
        "count": chosen.count(),
        "ids": list(chosen.values_list("pk", flat=True)) if action else [],
        "action": action,
        "checkbox": ACTION_CHECKBOX_NAME,
        "back": reverse(LIST),
    }
    return TemplateResponse(request, "admin/tasks/confirm_delete.html", context)


def facts(task: Task) -> list[tuple[str, Any]]:
    """Return the plain values of a task with their labels; a batch links to its tasks."""
    return [
        ("Id", task.pk),
        ("Kind", task.kind),
        ("Queue", task.queue),
        ("Lane", badges.lane_badge(task)),
        ("Priority", task.priority),
        ("Attempt", f"{task.attempt} of {task.max_attempts}"),
        ("Owner", task.owner or "nobody"),
        ("Worker", worker_name(task.worker_id) or formatting.NOTHING),
        ("Created", formatting.ago(task.created_at)),
        ("Due", formatting.ago(task.scheduled_at) if task.scheduled_at else formatting.NOTHING),
        ("Started", formatting.ago(task.started_at)),
        ("Finished", formatting.ago(task.finished_at)),
        ("Ran", formatting.last_run(task)),
        ("Claims", task.claim_number),
        ("Losses", task.losses),
        ("Crashes", task.crashes),
        ("Job", task.job_id or formatting.NOTHING),
    ]


def _find(request: HttpRequest, object_id: str) -> Task:
    if wanted := parse_task_id(object_id):
        tasks = Task.objects.visible_to(request.user).for_detail()
        return get_object_or_404(tasks, pk=wanted)
    raise Http404


def _payloads(task: Task) -> list[tuple[str, formatting.Payload]]:
    shown = [("Input", task.input), ("Result", task.result), ("Metadata", task.metadata)]
    return [(name, formatting.payload(value)) for name, value in shown if value not in (None, {})]


def _told(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "outcome": attempt.outcome,
        "badge": badges.badge(attempt.outcome),
        "worker": attempt.worker,
        "started": formatting.clock(attempt.started_at),
        "finished": formatting.clock(attempt.finished_at),
        "took": formatting.between(attempt.started_at, attempt.finished_at),
        "error": attempt.error,
    }
