"""What a browser may load for the console, whose scripts evaluate and whose widgets have styles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.http import HttpRequest, HttpResponse

DIRECTIVES: dict[str, Any] = {
    "default-src": [NONE],
    "script-src": [SELF, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
    "img-src": [SELF],
    "font-src": [SELF],
    "connect-src": [SELF],
    "form-action": [SELF],
    "base-uri": [NONE],
    "frame-ancestors": [NONE],
}


class ConsolePolicyMiddleware:
    """Gives the console's answers a policy of their own; inside django-csp's middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.resolver_match and "admin" in request.resolver_match.app_names:
            # Where django-csp's own decorators leave a view's policy.
            response._csp_replace = DIRECTIVES  # type: ignore[attr-defined]
        return response
