"""Circuit breakers: the state of each external service, and the reset of a circuit."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from tasks import circuit_breaker, formatting
from tasks.console import badges
from tasks.console.audit import record
from tasks.console.permissions import EngineAdmin, is_operator, require_operator
from tasks.filter_values import require_usable
from tasks.models import Breaker


class BreakerAdmin(EngineAdmin):
    """Circuits that the kinds use or that have failed before."""

    def get_urls(self) -> list[URLPattern]:
        """Add the route to reset a circuit."""
        view = self.admin_site.admin_view(self.reset)
        return [path("reset/", view, name="tasks_breaker_reset"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        """List all circuits."""
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
        """Return 404: the list shows everything about a circuit."""
        raise Http404

    def reset(self, request: HttpRequest) -> HttpResponse:
        """Close a circuit."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        require_operator(request)
        require_usable(request.POST, names=("name",))
        name = request.POST.get("name", "")
        if name not in {circuit.name for circuit in circuit_breaker.circuits()}:
            raise Http404
        circuit_breaker.reset(name)
        record(request.user, [Breaker(name=name)], "Circuit reset.")
        messages.success(request, f"The circuit of {name} was reset.")
        return redirect("admin:tasks_breaker_changelist")


def _row(circuit: circuit_breaker.Circuit) -> dict[str, Any]:
    # In a closed circuit only the count of failures can be reset.
    is_resettable = circuit.state != "closed" or circuit.failures > 0
    return {
        "name": circuit.name,
        "badge": badges.badge(f"circuit {circuit.state}", circuit.state.capitalize()),
        "failures": circuit.failures,
        "next_call": formatting.relative_time(circuit.retry_at),
        "last_error": circuit.last_error,
        "last_failure": formatting.relative_time(circuit.last_failure_at),
        "is_resettable": is_resettable,
    }
