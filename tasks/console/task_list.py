"""Task list."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.paginator import InfinitePaginator

from tasks import formatting
from tasks.console import badges, confirmation, dead_letters, overview, task_detail
from tasks.console.actions import CANCEL, DELETE, RETRY, Action, apply_to_all
from tasks.console.permissions import EngineAdmin
from tasks.console.task_filters import (
    BatchFilter,
    CreatedFilter,
    ErrorFilter,
    KindFilter,
    LaneFilter,
    OwnerFilter,
    QueueFilter,
)
from tasks.models import Task
from tasks.models.task import TaskQuerySet, parse_task_id

# Not fetched, because the list does not show them: each may have several megabytes.
UNSEEN = ("input", "result", "error", "metadata")


class TaskAdmin(EngineAdmin):
    """Tasks: search by ID, filters, and actions on one task or a selection."""

    list_display = (
        "task",
        "status_badge",
        "lane_badge",
        "attempts",
        "queue",
        "owner",
        "created",
        "duration",
    )
    list_filter = (
        "status",
        LaneFilter,
        KindFilter,
        QueueFilter,
        CreatedFilter,
        OwnerFilter,
        BatchFilter,
        ErrorFilter,
    )
    list_filter_submit = True
    list_per_page = 25
    paginator = InfinitePaginator
    ordering = ("-id",)
    search_fields = ("id",)
    search_help_text = "Complete ID of a task, or of the request that caused it"
    linked_lookups = ("worker_id",)
    actions = ("retry_selected", "cancel_selected", "delete_selected")

    def get_queryset(self, request: HttpRequest) -> TaskQuerySet:
        """Fetch the fields that the list shows."""
        return Task.objects.visible_to(request.user).defer(*UNSEEN).select_related("owner")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Task], search_term: str
    ) -> tuple[QuerySet[Task], bool]:
        """Find a task by its ID, with or without hyphens, or all tasks of a request by its ID."""
        term = search_term.strip()
        if not term:
            return queryset, False
        matches = Q(request_id=term)
        if pk := parse_task_id(term):
            matches |= Q(pk=pk)
        return queryset.filter(matches), False

    def get_urls(self) -> list[URLPattern]:
        """Add the routes of a task's actions, the overview's live parts and the dead letters."""
        site = self.admin_site.admin_view
        return [
            path("<anycase_uuid:task_id>/do/<str:name>/", site(self.act), name="tasks_task_act"),
            path("overview/now/", site(overview.now), name="tasks_overview_now"),
            path("overview/hour/", site(overview.hour), name="tasks_overview_hour"),
            path("dead-letters/", site(self.dead_letters), name="tasks_task_dead_letters"),
            path("dead-letters/act/", site(self.act_on_group), name="tasks_task_act_on_group"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show one task."""
        return task_detail.show(self, request, object_id)

    def act(self, request: HttpRequest, task_id: uuid.UUID, name: str) -> HttpResponse:
        """Run an action on one task."""
        return task_detail.act(self, request, task_id, name)

    def dead_letters(self, request: HttpRequest) -> HttpResponse:
        """Show the dead letters."""
        return dead_letters.show(self, request)

    def act_on_group(self, request: HttpRequest) -> HttpResponse:
        """Run an action on all dead letters of one kind and error."""
        return dead_letters.act(self, request)

    @admin.display(description="Task")
    def task(self, task: Task) -> SafeString:
        """Show a task's kind and the end of its ID, where neighbouring IDs differ."""
        return format_html(
            '{} <span class="ops-id" title="{}">…{}</span>', task.kind, task.pk, str(task.pk)[-12:]
        )

    @admin.display(description="Status")
    def status_badge(self, task: Task) -> SafeString:
        """Show the status."""
        return badges.status_badge(task)

    @admin.display(description="Lane")
    def lane_badge(self, task: Task) -> SafeString:
        """Show the lane."""
        return badges.lane_badge(task)

    @admin.display(description="Attempts")
    def attempts(self, task: Task) -> str:
        """Show the attempts used and allowed."""
        return f"{task.attempt} / {task.max_attempts}"

    @admin.display(description="Created")
    def created(self, task: Task) -> SafeString:
        """Show when the task was created."""
        return formatting.relative_time(task.created_at)

    @admin.display(description="Duration")
    def duration(self, task: Task) -> str:
        """Show the duration of the last attempt, until now if it is running."""
        return formatting.last_duration(task)

    @admin.action(description=RETRY.label, permissions=["operate"])
    def retry_selected(self, request: HttpRequest, queryset: TaskQuerySet) -> None:
        """Queue the selected tasks again."""
        self._apply(request, RETRY, queryset)

    @admin.action(description=CANCEL.label, permissions=["operate"])
    def cancel_selected(self, request: HttpRequest, queryset: TaskQuerySet) -> None:
        """Cancel the selected tasks."""
        self._apply(request, CANCEL, queryset)

    @admin.action(description=DELETE.label, permissions=["operate"])
    def delete_selected(
        self, request: HttpRequest, queryset: TaskQuerySet
    ) -> TemplateResponse | None:
        """Delete the selected tasks after confirmation."""
        if not confirmation.is_confirmed(request):
            return confirmation.confirm_selection(self, request, queryset)
        self._apply(request, DELETE, confirmation.confirmed_selection(request, queryset))
        return None

    def _apply(self, request: HttpRequest, action: Action, queryset: TaskQuerySet) -> None:
        report = apply_to_all(action, queryset, user=request.user)
        level = messages.SUCCESS if report.accepted else messages.WARNING
        messages.add_message(request, level, str(report))
