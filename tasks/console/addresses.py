"""Addresses of the console: what PostgreSQL cannot compare with is refused before it is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse


class ConsoleAddressMiddleware:
    """Answer 400 to an address of the console that contains a NUL character."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: list[Any], kwargs: dict[str, Any]
    ) -> None:
        """Raise BadRequest for the address."""
        match = request.resolver_match
        has_nul = "\0" in request.path_info or "%00" in request.META.get("QUERY_STRING", "")
        if has_nul and match and "admin" in match.app_names:
            raise BadRequest("The address contains a NUL character.")
