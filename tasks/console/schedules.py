"""The schedules: what is submitted by the clock, when next, and what became of the last time."""

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

from tasks import kinds, schedules
from tasks.console import badges, formatting
from tasks.console.audit import record
from tasks.console.permissions import EngineAdmin, is_operator, require_operator
from tasks.console.schedule_form import ScheduleForm
from tasks.errors import InvalidInput, ScheduleGone, UnknownKind
from tasks.models import Schedule, Task
from tasks.models.task import parse_task_id

LIST = "admin:tasks_schedule_changelist"
PAGE = "admin/tasks/schedule.html"
SHOWN = 500
UPCOMING = 5


class ScheduleAdmin(EngineAdmin):
    """Schedules: looked at by viewers, made, changed and run by operators."""

    def get_urls(self) -> list[URLPattern]:
        """Add the switch and the run by hand."""
        view = self.admin_site.admin_view(self.act)
        return [path("<uuid:object_id>/act/", view, name="tasks_schedule_act"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        """Show every schedule, by name."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = list(Schedule.objects.select_related("owner")[:SHOWN])
        last = _last_tasks(request, found)
        return self._page(
            request,
            "admin/tasks/schedules.html",
            title="Schedules",
            rows=[_row(one, last.get(one.last_task_id)) for one in found],
            shown=SHOWN,
        )

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Ask what to submit and when; then make the schedule, whose tasks are the operator's."""
        require_operator(request)
        form = ScheduleForm(request.POST or None)
        if request.method == "POST" and form.is_valid() and (made := _make(request, form)):
            messages.success(request, f"{made} is made.")
            return redirect(LIST)
        return self._page(request, PAGE, title="New schedule", form=form)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show one schedule with its next ticks; let an operator change it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        schedule = _found(object_id)
        operator = is_operator(request)
        form = ScheduleForm(request.POST or None, schedule=schedule, read_only=not operator)
        if request.method == "POST":
            require_operator(request)
            if form.is_valid() and _change(request, form, schedule):
                messages.success(request, f"{schedule} is changed.")
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
        )

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Delete a schedule, once it is confirmed."""
        require_operator(request)
        schedule = _found(object_id)
        if request.method != "POST":
            title = f"Delete {schedule}?"
            return self._page(
                request, "admin/tasks/schedule_delete.html", title=title, schedule=schedule
            )
        with transaction.atomic():
            record(request.user, [schedule], "Deleted.", flag=DELETION)
            schedules.remove(schedule)
        messages.success(request, f"{schedule} is deleted.")
        return redirect(LIST)

    def act(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Switch a schedule on or off, or run it now."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        require_operator(request)
        act = ACTS.get(request.POST.get("verb", ""))
        if act is None:
            raise Http404
        try:
            with transaction.atomic():
                messages.success(request, act(request, _found(object_id)))
        except (InvalidInput, UnknownKind, ScheduleGone) as error:
            messages.error(request, str(error))
        return redirect(LIST)

    def _page(self, request: HttpRequest, template: str, **context: Any) -> TemplateResponse:
        context |= {"operator": is_operator(request)}
        return TemplateResponse(
            request, template, {**self.admin_site.each_context(request), **context}
        )


def _enable(request: HttpRequest, schedule: Schedule) -> str:
    record(request.user, [schedules.change(schedule, enabled=True)], "Switched on.")
    return f"{schedule} is on."


def _disable(request: HttpRequest, schedule: Schedule) -> str:
    record(request.user, [schedules.change(schedule, enabled=False)], "Switched off.")
    return f"{schedule} is off."


def _run(request: HttpRequest, schedule: Schedule) -> str:
    task = schedules.run_now(schedule)
    record(request.user, [schedule], f"Run by hand: task {task.pk}.")
    return f"{schedule}: task {task.pk} is queued."


ACTS = {"enable": _enable, "disable": _disable, "run": _run}


def _make(request: HttpRequest, form: ScheduleForm) -> Schedule | None:
    """Make what the form says, or tell in the form why not."""
    owner = request.user if request.user.is_authenticated else None
    try:
        with transaction.atomic():
            made = schedules.create(**form.changes(), owner=owner)
            record(request.user, [made], "Made.", flag=ADDITION)
    except InvalidInput as refused:
        form.refuse(refused.errors)
        return None
    return made


def _change(request: HttpRequest, form: ScheduleForm, schedule: Schedule) -> bool:
    """Change what the form changed, or tell in the form why not."""
    stored = {**vars(schedule), "queue": schedule.queue or None}
    wanted = {name: value for name, value in form.changes().items() if value != stored[name]}
    try:
        with transaction.atomic():
            schedules.change(schedule, **wanted)  # type: ignore[arg-type]
            record(request.user, [schedule], f"Changed: {', '.join(wanted) or 'nothing'}.")
    except InvalidInput as refused:
        form.refuse(refused.errors)
        return False
    except ScheduleGone:
        raise Http404 from None
    return True


def _found(object_id: Any) -> Schedule:
    pk = parse_task_id(object_id)
    schedule = Schedule.objects.select_related("owner").filter(pk=pk).first() if pk else None
    if schedule is None:
        raise Http404
    return schedule


def _last_tasks(request: HttpRequest, found: list[Schedule]) -> dict[Any, Task]:
    """Return those of the last tasks that are still there and that this user may see."""
    ids = [one.last_task_id for one in found if one.last_task_id]
    visible = Task.objects.visible_to(request.user).only("pk", "status", "progress")
    return {task.pk: task for task in visible.filter(pk__in=ids)}


def _row(schedule: Schedule, last: Task | None) -> dict[str, Any]:
    known = schedule.kind in kinds.all_kinds()
    return {
        "schedule": schedule,
        "badge": badges.badge("on" if schedule.enabled else "off"),
        "words": schedule.cron_expression.in_words(),
        "next": formatting.ago(schedule.next_at),
        "last_at": formatting.ago(schedule.last_at),
        "last": last,
        "last_badge": badges.badge(last.status, last.get_status_display()) if last else "",
        "error": schedule.last_error
        if known
        else f"There is no kind named {schedule.kind!r} here.",
    }


def _upcoming(schedule: Schedule) -> list[str]:
    """Write the next ticks, were the schedule on, by its own clock."""
    if schedule.cron_expression.mistakes():
        return []
    zone = schedule.cron_expression.zone()
    ticks = schedule.cron_expression.upcoming(UPCOMING, after=timezone.now())
    return [f"{tick.astimezone(zone):%a %Y-%m-%d %H:%M %Z}" for tick in ticks]
