"""Dead letters: failed tasks, grouped by kind and error, to retry or delete."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from tasks import formatting, lifecycle, sql, stats
from tasks.console.actions import DELETE, RETRY, Report, apply
from tasks.console.confirmation import is_confirmed, page_shown_at
from tasks.console.permissions import EngineAdmin, is_operator, require_operator
from tasks.console.task_filters import UNTYPED, error_is
from tasks.filter_values import UnusableParameter, require_usable
from tasks.models import Lane, Task
from tasks.models.task import TaskQuerySet

PAGE = "admin:tasks_task_dead_letters"
NEWEST = 25
UNSEEN = ("input", "result", "metadata")
# Tasks of one group that one request changes.
LIMIT = 10_000
GROUP_FIELDS = ("verb", "kind", "error")
GROUP_ACTIONS = {action.name: action for action in (RETRY, DELETE)}


def show(admin: EngineAdmin, request: HttpRequest) -> HttpResponse:
    """Show the groups and the newest dead letters."""
    if not admin.has_view_permission(request):
        raise PermissionDenied
    for name in request.GET:
        # The screen has no filters: one that is ignored would show too much.
        raise UnusableParameter(f"{name[:100]}: There is no such filter.")
    failed = Task.objects.visible_to(request.user).in_lane(Lane.DLQ).defer(*UNSEEN)
    context = {
        **admin.admin_site.each_context(request),
        "title": "Dead letters",
        "groups": [
            {
                "kind": group.kind,
                "error": group.error_type or UNTYPED,
                "count": group.count,
            }
            for group in stats.failure_groups(Task.objects.in_lane(Lane.DLQ))
        ],
        "newest": [
            (task, formatting.relative_time(task.finished_at))
            for task in failed.order_by("-finished_at", "-id")[:NEWEST]
        ],
        "operator": is_operator(request),
    }
    return TemplateResponse(request, "admin/tasks/dead_letters.html", context)


def act(admin: EngineAdmin, request: HttpRequest) -> HttpResponse:
    """Retry or delete a whole group; a deletion must be confirmed."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    require_operator(request)
    require_usable(request.POST, names=GROUP_FIELDS)
    action = GROUP_ACTIONS.get(request.POST.get("verb", ""))
    kind, error = request.POST.get("kind"), request.POST.get("error")
    if action is None or kind is None or error is None:
        raise Http404
    group = Task.objects.in_lane(Lane.DLQ).filter(error_is(error), kind=kind)
    if action == DELETE:
        if not is_confirmed(request):
            return _confirm(admin, request, group)
        # What failed since is not deleted unseen.
        group = group.filter(finished_at__lte=page_shown_at(request))
    changed, has_more = lifecycle.move_matching(
        group, lambda ids: apply(action, ids, user=request.user).accepted, limit=LIMIT
    )
    report = Report(action=action, selected=changed, accepted=changed)
    messages.success(request, f"{kind}, {error}: {report}")
    if has_more:
        messages.warning(
            request, "More tasks have this kind and error. Repeat the action for them."
        )
    return redirect(PAGE)


def _confirm(admin: EngineAdmin, request: HttpRequest, group: TaskQuerySet) -> HttpResponse:
    context = {
        **admin.admin_site.each_context(request),
        "title": "Delete dead letters",
        "count": group.count(),
        "kind": request.POST["kind"],
        "error": request.POST["error"],
        "shown_at": sql.database_now().isoformat(),
    }
    return TemplateResponse(request, "admin/tasks/confirm_delete_group.html", context)
