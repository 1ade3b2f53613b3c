"""The circuit breakers: which services outside are called, and the switch that closes a circuit."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from tasks import circuit_breaker
from tasks.console import badges, formatting
from tasks.console.audit import record
from tasks.console.permissions import EngineAdmin, is_operator, require_operator
from tasks.models import Breaker


class BreakerAdmin(EngineAdmin):
    """Circuits: those that the kinds use, and those that ever failed."""

    def get_urls(self) -> list[URLPattern]:
        """Add the switch."""
        view = self.admin_site.admin_view(self.reset)
        return [path("reset/", view, name="tasks_breaker_reset"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        """Show every circuit."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": "Circuit breakers",
            "breakers": [_row(circuit) for circuit in circuit_breaker.circuits()],
            "operator": is_operator(request),
        }
        return TemplateResponse(request, "admin/tasks/breakers.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Answer that there is no page of one circuit: the list says it all."""
        raise Http404

    def reset(self, request: HttpRequest) -> HttpResponse:
        """Close a circuit."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        require_operator(request)
        name = request.POST.get("name", "")
        if name not in {circuit.name for circuit in circuit_breaker.circuits()}:
            raise Http404
        circuit_breaker.reset(name)
        record(request.user, [Breaker(name=name)], "The circuit was reset.")
        messages.success(request, f"The circuit to {name} is closed.")
        return redirect("admin:tasks_breaker_changelist")


def _row(circuit: circuit_breaker.Circuit) -> dict[str, Any]:
    # Of a closed circuit there is nothing to reset but a count.
    troubled = circuit.state != "closed" or circuit.failures > 0
    return {
        "name": circuit.name,
        "badge": badges.badge(f"circuit {circuit.state}", circuit.state.capitalize()),
        "failures": circuit.failures,
        "retry": formatting.ago(circuit.retry_at),
        "last_error": circuit.last_error,
        "last_failure": formatting.ago(circuit.last_failure_at),
        "troubled": troubled,
    }
