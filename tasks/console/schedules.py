"""Schedules: tasks submitted at set times, their next runs and their last."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin.models import ADDITION, DELETION
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone

from tasks import formatting, kinds, schedules
from tasks.console import badges
from tasks.console.audit import record
from tasks.console.permissions import EngineAdmin, is_operator, require_operator
from tasks.console.schedule_form import ScheduleForm
from tasks.errors import InvalidInput, ScheduleGone, UnknownKind
from tasks.filter_values import require_usable
from tasks.models import Schedule, Task
from tasks.models.task import parse_task_id

LIST = "admin:tasks_schedule_changelist"
PAGE = "admin/tasks/schedule.html"
SHOWN = 500
UPCOMING = 5
RUNS_SHOWN = 20


class ScheduleAdmin(EngineAdmin):
    """Schedules: viewers see them; operators create, change and run them."""

    def get_urls(self) -> list[URLPattern]:
        """Add the route to enable, disable or run a schedule."""
        view = self.admin_site.admin_view(self.act)
        return [
            path("<anycase_uuid:object_id>/act/", view, name="tasks_schedule_act"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        """List the schedules by name."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = list(Schedule.objects.select_related("owner")[:SHOWN])
        last = _last_tasks(request, rows)
        return self._page(
            request,
            "admin/tasks/schedules.html",
            title="Schedules",
            rows=[_row(schedule, last.get(schedule.last_task_id)) for schedule in rows],
            shown=SHOWN,
        )

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the form; then create the schedule; its tasks belong to the operator."""
        require_operator(request)
        form = ScheduleForm(request.POST or None)
        if request.method == "POST" and form.is_valid() and (schedule := _create(request, form)):
            messages.success(request, f"{schedule} was created.")
            return redirect(LIST)
        return self._page(request, PAGE, title="New schedule", form=form)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show one schedule with its next runs; let an operator change it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        schedule = _get(object_id)
        operator = is_operator(request)
        form = ScheduleForm(request.POST or None, schedule=schedule, read_only=not operator)
        if request.method == "POST":
            require_operator(request)
            if form.is_valid() and _change(request, form, schedule):
                messages.success(request, f"{schedule} was changed.")
                return redirect(LIST)
        last = _last_tasks(request, [schedule])
        return self._page(
            request,
            PAGE,
            title=schedule.name,
            form=form,
            schedule=schedule,
            row=_row(schedule, last.get(schedule.last_task_id)),
            upcoming=_upcoming(schedule),
            runs=_runs(request, schedule),
        )

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Delete a schedule after confirmation."""
        require_operator(request)
        schedule = _get(object_id)
        if request.method != "POST":
            title = f"Delete {schedule}?"
            return self._page(
                request, "admin/tasks/schedule_delete.html", title=title, schedule=schedule
            )
        with transaction.atomic():
            record(request.user, [schedule], "Deleted.", flag=DELETION)
            schedules.remove(schedule)
        messages.success(request, f"{schedule} was deleted.")
        return redirect(LIST)

    def act(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Enable, disable or run a schedule."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        require_operator(request)
        require_usable(request.POST, names=("verb",))
        act = ACTS.get(request.POST.get("verb", ""))
        if act is None:
            raise Http404
        try:
            with transaction.atomic():
                messages.success(request, act(request, _get(object_id)))
        except (InvalidInput, UnknownKind, ScheduleGone) as error:
            messages.error(request, str(error))
        return redirect(LIST)

    def _page(self, request: HttpRequest, template: str, **context: Any) -> TemplateResponse:
        context |= {"operator": is_operator(request)}
        return TemplateResponse(
            request, template, {**self.admin_site.each_context(request), **context}
        )


def _enable(request: HttpRequest, schedule: Schedule) -> str:
    record(request.user, [schedules.change(schedule, enabled=True)], "Enabled.")
    return f"{schedule} was enabled."


def _disable(request: HttpRequest, schedule: Schedule) -> str:
    record(request.user, [schedules.change(schedule, enabled=False)], "Disabled.")
    return f"{schedule} was disabled."


def _run(request: HttpRequest, schedule: Schedule) -> str:
    task = schedules.run_now(schedule)
    record(request.user, [schedule], f"Run now: task {task.pk}.")
    return f"{schedule}: task {task.pk} was submitted."


ACTS = {"enable": _enable, "disable": _disable, "run": _run}


def _create(request: HttpRequest, form: ScheduleForm) -> Schedule | None:
    """Create a schedule from the form; return None after adding errors to the form."""
    owner = request.user if request.user.is_authenticated else None
    try:
        with transaction.atomic():
            schedule = schedules.create(**form.changes(), owner=owner)
            record(request.user, [schedule], "Created.", flag=ADDITION)
    except InvalidInput as error:
        form.add_errors(error.errors)
        return None
    return schedule


def _change(request: HttpRequest, form: ScheduleForm, schedule: Schedule) -> bool:
    """Store the changed fields; return False after adding errors to the form."""
    stored = {**vars(schedule), "queue": schedule.queue or None}
    changes = {name: value for name, value in form.changes().items() if value != stored[name]}
    try:
        with transaction.atomic():
            schedules.change(schedule, **changes)  # type: ignore[arg-type]
            record(request.user, [schedule], f"Changed: {', '.join(changes) or 'nothing'}.")
    except InvalidInput as error:
        form.add_errors(error.errors)
        return False
    except ScheduleGone:
        raise Http404 from None
    return True


def _get(object_id: Any) -> Schedule:
    pk = parse_task_id(object_id)
    schedule = Schedule.objects.select_related("owner").filter(pk=pk).first() if pk else None
    if schedule is None:
        raise Http404
    return schedule


def _last_tasks(request: HttpRequest, rows: list[Schedule]) -> dict[Any, Task]:
    """Return the schedules' last tasks that still exist and that this user may see."""
    ids = [schedule.last_task_id for schedule in rows if schedule.last_task_id]
    visible = Task.objects.visible_to(request.user).only("pk", "status", "progress")
    return {task.pk: task for task in visible.filter(pk__in=ids)}


def _row(schedule: Schedule, last: Task | None) -> dict[str, Any]:
    is_known = schedule.kind in kinds.all_kinds()
    return {
        "schedule": schedule,
        "badge": badges.badge("enabled" if schedule.enabled else "disabled"),
        "in_words": schedule.cron_expression.in_words(),
        "next": _next(schedule),
        "last_at": formatting.relative_time(schedule.last_at),
        "last": last,
        "last_badge": badges.badge(last.status, last.get_status_display()) if last else "",
        "error": schedule.last_error if is_known else str(UnknownKind(schedule.kind)),
    }


def _next(schedule: Schedule) -> str:
    if schedule.next_at and schedule.next_at < timezone.now() and schedule.is_held:
        return "when the earlier task has ended"
    return formatting.relative_time(schedule.next_at)


def _runs(request: HttpRequest, schedule: Schedule) -> list[dict[str, Any]]:
    """Return the newest runs, each with its task if that still exists and this user may see it."""
    runs = list(schedule.runs.all()[:RUNS_SHOWN])
    visible = Task.objects.visible_to(request.user).defer("input", "result", "error")
    tasks = visible.in_bulk([run.task_id for run in runs if run.task_id])
    return [
        {
            "tick": formatting.relative_time(run.tick) if run.tick else "requested",
            "at": formatting.relative_time(run.at),
            "note": run.note,
            "task_id": run.task_id,
            "task": (task := tasks.get(run.task_id)),
            "badge": badges.badge(task.status, task.get_status_display()) if task else "",
            "took": formatting.last_duration(task) if task else formatting.DASH,
        }
        for run in runs
    ]


def _upcoming(schedule: Schedule) -> list[str]:
    """Format the next run times in the schedule's time zone, as if it were enabled."""
    if schedule.cron_expression.mistakes():
        return []
    zone = schedule.cron_expression.zone()
    ticks = schedule.cron_expression.upcoming(UPCOMING, after=timezone.now())
    return [f"{tick.astimezone(zone):%a %Y-%m-%d %H:%M %Z}" for tick in ticks]
