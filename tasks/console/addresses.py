"""Addresses of the console: parameters that no screen can use are refused before the view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.paginator import InvalidPage
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from tasks.console.strict_list import StrictListAdmin, without_empty_search
from tasks.filter_values import UnusableParameter


class ConsoleAddressMiddleware:
    """Answer 400 to an address with a NUL character, or with a filter that its list cannot use."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: list[Any], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Raise UnusableParameter, or redirect an empty search to the list without a search."""
        match = request.resolver_match
        if match is None or "admin" not in match.app_names:
            return None
        admin = getattr(view, "model_admin", None)
        is_list = (match.url_name or "").endswith("_changelist")
        if is_list and isinstance(admin, StrictListAdmin):
            if address := without_empty_search(request):
                return HttpResponseRedirect(address)
            admin.require_usable(request)
        # PostgreSQL cannot compare with it.
        if "\0" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
            raise UnusableParameter("The address contains a NUL character.")
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Raise UnusableParameter for a page that does not exist, as unfold's search has them."""
        match = request.resolver_match
        if isinstance(exception, InvalidPage) and match and "admin" in match.app_names:
            raise UnusableParameter("page: There is no such page.")
