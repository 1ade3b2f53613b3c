"""The task list."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.paginator import InfinitePaginator

from tasks.console import badges, dead_letters, formatting, overview, task_detail
from tasks.console.actions import CANCEL, DELETE, RETRY, Verb, apply
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

# What a list does not show is not fetched: these may be megabytes each.
UNSEEN = ("input", "result", "error", "metadata")


class TaskAdmin(EngineAdmin):
    """Tasks: found by id or filters, acted on alone or as a selection."""

    list_display = (
        "task",
        "status_badge",
        "lane_badge",
        "tries",
        "queue",
        "owner",
        "created",
        "took",
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
    search_help_text = "Task id"
    actions = ("retry_selected", "cancel_selected", "delete_selected")

    def get_queryset(self, request: HttpRequest) -> TaskQuerySet:
        """Fetch what the list shows; a task's own page fetches it whole."""
        return Task.objects.visible_to(request.user).defer(*UNSEEN).select_related("owner")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Task], search_term: str
    ) -> tuple[QuerySet[Task], bool]:
        """Find by the whole id, with or without hyphens."""
        if not search_term.strip():
            return queryset, False
        wanted = parse_task_id(search_term.strip())
        return (queryset.filter(pk=wanted) if wanted else queryset.none()), False

    def get_urls(self) -> list[URLPattern]:
        """Add a task's buttons, the overview's living parts and the dead letters."""
        site = self.admin_site.admin_view
        return [
            path("<uuid:task_id>/do/<str:verb>/", site(self.act), name="tasks_task_act"),
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

    def act(self, request: HttpRequest, task_id: uuid.UUID, verb: str) -> HttpResponse:
        """Do a verb to one task."""
        return task_detail.act(self, request, task_id, verb)

    def dead_letters(self, request: HttpRequest) -> HttpResponse:
        """Show what failed for good."""
        return dead_letters.show(self, request)

    def act_on_group(self, request: HttpRequest) -> HttpResponse:
        """Do a verb to all dead letters of one kind and error."""
        return dead_letters.act(self, request)

    @admin.display(description="Task")
    def task(self, task: Task) -> SafeString:
        """Name a task by its kind and the end of its id, which tells neighbours apart."""
        return format_html(
            '{} <span class="ops-id" title="{}">…{}</span>', task.kind, task.pk, str(task.pk)[-12:]
        )

    @admin.display(description="Status")
    def status_badge(self, task: Task) -> SafeString:
        """Label the status."""
        return badges.status_badge(task)

    @admin.display(description="Lane")
    def lane_badge(self, task: Task) -> SafeString:
        """Label the lane."""
        return badges.lane_badge(task)

    @admin.display(description="Attempt")
    def tries(self, task: Task) -> str:
        """Tell how many attempts are spent, and of how many."""
        return f"{task.attempt} / {task.max_attempts}"

    @admin.display(description="Created")
    def created(self, task: Task) -> SafeString:
        """Tell how long ago it was submitted."""
        return formatting.ago(task.created_at)

    @admin.display(description="Duration")
    def took(self, task: Task) -> str:
        """Tell how long the last attempt took, or takes."""
        return formatting.last_run(task)

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
        """Delete the selected tasks, once it is confirmed."""
        if "confirmed" not in request.POST:
            return task_detail.confirm(self, request, queryset, action="delete_selected")
        self._apply(request, DELETE, queryset)
        return None

    def _apply(self, request: HttpRequest, verb: Verb, queryset: TaskQuerySet) -> None:
        ids = list(queryset.values_list("pk", flat=True))
        report = apply(verb, ids, user=request.user)
        level = messages.SUCCESS if report.done else messages.WARNING
        messages.add_message(request, level, str(report))
