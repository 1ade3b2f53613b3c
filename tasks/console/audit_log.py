"""The audit log as a screen: who did what, newest first."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.paginator import InfinitePaginator

from tasks.console import formatting
from tasks.console.permissions import EngineAdmin

READ = "admin.view_logentry"
WITH_PAGE = ("task", "user", "group")


class AuditLogAdmin(EngineAdmin):
    """Entries are written with what they tell of, and by nothing else."""

    list_display = ("when", "user", "what", "target", "content_type")
    list_display_links = None
    list_filter = ("action_flag",)
    list_per_page = 50
    paginator = InfinitePaginator
    ordering = ("-id",)
    search_fields = ("object_id",)
    search_help_text = "Whole id of what was acted on"

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let in whoever may read the log."""
        return bool(request.user.has_perm(READ))

    def get_queryset(self, request: HttpRequest) -> QuerySet[LogEntry]:
        """Fetch entries with who and what."""
        return LogEntry.objects.select_related("user", "content_type")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[LogEntry], search_term: str
    ) -> tuple[QuerySet[LogEntry], bool]:
        """Find what was done to one row."""
        term = search_term.strip()
        return (queryset.filter(object_id=term) if term else queryset), False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Answer that there is no page of one entry: the list says it all."""
        raise Http404

    @admin.display(description="When")
    def when(self, entry: LogEntry) -> SafeString:
        """Tell when it was done."""
        return formatting.ago(entry.action_time)

    @admin.display(description="What")
    def what(self, entry: LogEntry) -> str:
        """Tell what was done."""
        return entry.get_change_message() or entry.get_action_flag_display()

    @admin.display(description="To")
    def target(self, entry: LogEntry) -> SafeString:
        """Name what it was done to, linked while it has a page."""
        address = None if entry.is_deletion() else entry.get_admin_url()
        paged = entry.content_type and entry.content_type.model in WITH_PAGE
        if address is None or not paged:
            return format_html("{}", entry.object_repr)
        return format_html('<a class="ops-link" href="{}">{}</a>', address, entry.object_repr)
