"""The audit log's screen: operators' changes, newest first."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.paginator import InfinitePaginator

from tasks import formatting
from tasks.console.permissions import EngineAdmin

READ = "admin.view_logentry"
WITH_PAGE = ("task", "user", "group")


class AuditLogAdmin(EngineAdmin):
    """Audit log entries; each is written in the transaction of the change it records."""

    list_display = ("time", "user", "change", "target", "content_type")
    list_display_links = None
    list_filter = ("action_flag",)
    list_per_page = 50
    paginator = InfinitePaginator
    ordering = ("-id",)
    search_fields = ("object_id",)
    search_help_text = "Complete ID of the object"

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether this user may read the log."""
        return bool(request.user.has_perm(READ))

    def get_queryset(self, request: HttpRequest) -> QuerySet[LogEntry]:
        """Fetch entries with their users and types."""
        return LogEntry.objects.select_related("user", "content_type")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[LogEntry], search_term: str
    ) -> tuple[QuerySet[LogEntry], bool]:
        """Find the entries of one object by its ID."""
        term = search_term.strip()
        return (queryset.filter(object_id=term) if term else queryset), False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Return 404: the list shows everything about an entry."""
        raise Http404

    @admin.display(description="Time")
    def time(self, entry: LogEntry) -> SafeString:
        """Show the time of the change."""
        return formatting.relative_time(entry.action_time)

    @admin.display(description="Change")
    def change(self, entry: LogEntry) -> str:
        """Describe the change."""
        return entry.get_change_message() or entry.get_action_flag_display()

    @admin.display(description="Object")
    def target(self, entry: LogEntry) -> SafeString:
        """Name the object, with a link if it has a page."""
        address = None if entry.is_deletion() else entry.get_admin_url()
        paged = entry.content_type and entry.content_type.model in WITH_PAGE
        if address is None or not paged:
            return format_html("{}", entry.object_repr)
        return format_html('<a class="ops-link" href="{}">{}</a>', address, entry.object_repr)
