"""Headers of every answer: who may store it, and which features of a browser a page may use."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

# The pages use none of them.
_PERMISSIONS = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


class AnswerHeadersMiddleware:
    """Set Cache-Control and Permissions-Policy where the view, or what failed, set none.

    An answer depends on who asked: no shared cache may store it, and no other one without asking
    again. Must be an outer middleware, so that it sees refusals and redirects too.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve one request."""
        response = self._get_response(request)
        storing = "private, no-cache" if "ETag" in response else "private, no-store"
        response.headers.setdefault("Cache-Control", storing)
        response.headers.setdefault("Permissions-Policy", _PERMISSIONS)
        return response
