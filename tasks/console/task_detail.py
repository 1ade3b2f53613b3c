"""The page of one task: its values, attempts and actions."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from tasks import formatting
from tasks.console import badges
from tasks.console.actions import ACTIONS, DELETE, apply
from tasks.console.confirmation import confirm_one, is_confirmed
from tasks.console.permissions import EngineAdmin, is_operator, require_operator
from tasks.models import Attempt, Task
from tasks.models.attempt import history_of, worker_name
from tasks.models.task import parse_task_id
from tasks.stats import waiting_reason

LIST = "admin:tasks_task_changelist"


def show(admin: EngineAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    """Render the page, or only its live part for a poll."""
    if not admin.has_view_permission(request):
        raise PermissionDenied
    task = _get(request, object_id)
    allowed = is_operator(request)
    context = {
        **admin.admin_site.each_context(request),
        "title": f"{task.kind} {task.pk}",
        "opts": Task._meta,
        "original": task,
        "task": task,
        "actions": [action for action in ACTIONS.values() if allowed and action.applies_to(task)],
        "facts": facts(task),
        "long_facts": long_facts(task),
        "status_badge": badges.status_badge(task),
        "payloads": _payloads(task),
        "attempts": [_attempt(attempt) for attempt in reversed(history_of(task))],
    }
    is_poll = request.headers.get("HX-Request") == "true"
    template = "admin/tasks/task_live.html" if is_poll else "admin/tasks/task.html"
    return TemplateResponse(request, template, context)


def act(admin: EngineAdmin, request: HttpRequest, task_id: uuid.UUID, name: str) -> HttpResponse:
    """Run an action on one task and return to its page; a deletion must be confirmed."""
    action = ACTIONS.get(name)
    if action is None:
        raise Http404
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    require_operator(request)
    selection = Task.objects.visible_to(request.user).filter(pk=task_id)
    task = get_object_or_404(selection)
    if action == DELETE and not is_confirmed(request) and DELETE.applies_to(task):
        return confirm_one(admin, request, selection)
    report = apply(action, [task_id], user=request.user)
    if report.accepted:
        messages.success(request, str(report))
    else:
        messages.error(request, f"A task that is {task.status} cannot be {action.participle}.")
    if action == DELETE and report.accepted:
        return redirect(LIST)
    return redirect("admin:tasks_task_change", task_id)


def facts(task: Task) -> list[tuple[str, Any]]:
    """Return the labels and values of a task's plain fields."""
    return [
        ("ID", task.pk),
        ("Kind", task.kind),
        ("Queue", task.queue),
        ("Lane", badges.lane_badge(task)),
        ("Priority", task.priority),
        ("Attempts", f"{task.attempt} of {task.max_attempts}"),
        ("Owner", task.owner or formatting.DASH),
        ("Worker", worker_name(task.worker_id) or formatting.DASH),
        ("Created", formatting.relative_time(task.created_at)),
        ("Due", formatting.relative_time(None if task.waits_for_others else task.scheduled_at)),
        ("Expires", formatting.relative_time(task.expires_at)),
        ("Unique", _uniqueness(task)),
        ("Started", formatting.relative_time(task.started_at)),
        ("Finished", formatting.relative_time(task.finished_at)),
        ("Duration", formatting.last_duration(task)),
        ("Claims", task.claim_number),
        ("Lost claims", task.losses),
        ("Crashes", task.crashes),
        ("Job", task.job_id or formatting.DASH),
    ]


def _uniqueness(task: Task) -> str:
    """Return until when no other task can have its key."""
    if task.unique_key is None:
        return formatting.DASH
    if task.unique_until:
        return f"until {formatting.timestamp(task.unique_until)}"
    return f"while {task.unique_while}"


def _waits_for(task: Task) -> list[tuple[str, str]]:
    """Return why a task waits, its place in line and the estimate."""
    waiting = waiting_reason(task, to_operator=True)
    if waiting is None:
        return []
    parts = [waiting.sentence]
    if waiting.place:
        parts.append(f"Place in line: {waiting.place}.")
    if waiting.eta_s is not None:
        parts.append(f"May start in about {formatting.duration(waiting.eta_s)}.")
    return [("Waits because", " ".join(parts))]


def _link_to(task_id: uuid.UUID | None) -> str:
    if task_id is None:
        return formatting.DASH
    url = reverse("admin:tasks_task_change", args=[task_id])
    return format_html('<a class="ops-link" href="{}">{}</a>', url, task_id)


def long_facts(task: Task) -> list[tuple[str, str]]:
    """Return the labels and values of what is as wide as the task's own id."""
    return [
        *_waits_for(task),
        ("Request", task.request_id or formatting.DASH),
        ("Result of", _link_to(task.cached_from)),
        ("Trace", task.cause.trace_id or formatting.DASH),
    ]


def _get(request: HttpRequest, object_id: str) -> Task:
    if pk := parse_task_id(object_id):
        tasks = Task.objects.visible_to(request.user).for_detail()
        return get_object_or_404(tasks, pk=pk)
    raise Http404


def _payloads(task: Task) -> list[tuple[str, formatting.Payload]]:
    values = [("Input", task.input), ("Result", task.result), ("Metadata", task.metadata)]
    return [(name, formatting.payload(value)) for name, value in values if value not in (None, {})]


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "outcome": attempt.outcome,
        "badge": badges.badge(attempt.outcome),
        "worker": attempt.worker,
        "started": formatting.timestamp(attempt.started_at),
        "finished": formatting.timestamp(attempt.finished_at),
        "duration": formatting.elapsed(attempt.started_at, attempt.finished_at),
        "error": attempt.error,
    }
