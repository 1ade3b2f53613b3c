"""Alerts: what is open, its history, and who takes care of it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from tasks import alerts, formatting
from tasks.console import badges
from tasks.console.audit import record
from tasks.console.permissions import EngineAdmin, is_operator, require_operator
from tasks.errors import AlertGone
from tasks.models import Alert

LIST = "admin:tasks_alert_changelist"
MOST_OPEN = 200
MOST_CLOSED = 200


class AlertAdmin(EngineAdmin):
    """Alerts: viewers see them; operators acknowledge them."""

    def get_urls(self) -> list[URLPattern]:
        """Add the route to acknowledge an alert."""
        view = self.admin_site.admin_view(self.acknowledge)
        return [
            path("<anycase_uuid:object_id>/acknowledge/", view, name="tasks_alert_acknowledge"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        """List the open alerts, then the newest of those that are closed."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        open_alerts = list(Alert.objects.open()[:MOST_OPEN])
        closed = Alert.objects.opened().filter(closed_at__isnull=False)
        context = {
            **self.admin_site.each_context(request),
            "title": "Alerts",
            "open_rows": [_row(alert) for alert in open_alerts],
            "closed_rows": [_row(alert) for alert in closed[:MOST_CLOSED]],
            "most": MOST_OPEN,
            "operator": is_operator(request),
        }
        return TemplateResponse(request, "admin/tasks/alerts.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Return 404: the list shows everything about an alert."""
        raise Http404

    def acknowledge(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Note that the operator takes care of an alert."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        require_operator(request)
        try:
            alert = alerts.acknowledge(Alert(pk=object_id), name=request.user.get_username())
        except AlertGone:
            raise Http404 from None
        record(request.user, [alert], "Acknowledged.")
        messages.success(request, f"{alert} was acknowledged by {alert.acknowledged_by}.")
        return redirect(LIST)


def _row(alert: Alert) -> dict[str, Any]:
    state = "closed" if alert.closed_at else "open"
    changed = not alert.closed_at and alert.latest_value != alert.value
    return {
        "alert": alert,
        "badge": badges.badge(f"alert {state}", state.capitalize()),
        "opened": formatting.relative_time(alert.opened_at),
        "closed": formatting.relative_time(alert.closed_at),
        "acknowledged": formatting.relative_time(alert.acknowledged_at),
        "latest": f"{alert.latest_value:,.10g}" if changed else "",
    }
