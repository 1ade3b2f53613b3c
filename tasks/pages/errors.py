"""Error pages that say more than Django's."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from tasks.filter_values import UnusableParameter


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Render the page of a 400; it names an unusable parameter, and no other reason."""
    detail = str(exception) if isinstance(exception, UnusableParameter) else ""
    # What is refused before the session, such as a wrong Host, has no user: the page shows none.
    sender = request if hasattr(request, "user") else None
    return HttpResponse(render_to_string("400.html", {"detail": detail}, sender), status=400)


def form_refused(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Render the page of a form that Django's CSRF protection refused."""
    is_elsewhere = "trusted origins" in reason
    context = {"origin": request.headers.get("Origin", "an address"), "is_elsewhere": is_elsewhere}
    return render(request, "403_csrf.html", context, status=403)
