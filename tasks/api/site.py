"""Site: Django's handler, and a shorter one for calls of the API."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.urls import URLPattern, URLResolver, get_resolver

from tasks.api.middleware import is_api

# Session, login and messages come with a cookie; their middleware would find nothing without one.
# The others concern pages, files and the console.
_ONLY_FOR_PAGES = {
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "tasks.console.policy.ConsolePolicyMiddleware",
    "tasks.console.addresses.ConsoleAddressMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
}


class Site:
    """The WSGI application; a call of the API without a cookie skips what only pages need."""

    def __init__(self) -> None:
        self._handle = WSGIHandler()
        self._handle_call = _CallHandler()
        self._roots = _api_roots()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """Serve one request."""
        root = environ["PATH_INFO"][1:].partition("/")[0]
        if "HTTP_COOKIE" not in environ and root in self._roots:
            return self._handle_call(environ, start_response)
        return self._handle(environ, start_response)


class _CallHandler(WSGIHandler):
    def load_middleware(self, is_async: bool = False) -> None:
        """Load the shorter list; Django reads it from nowhere but the settings."""
        complete = settings.MIDDLEWARE
        settings.MIDDLEWARE = [path for path in complete if path not in _ONLY_FOR_PAGES]
        try:
            super().load_middleware(is_async)
        finally:
            settings.MIDDLEWARE = complete


def _api_roots() -> set[str]:
    """Return the first segments of paths with which only routes of the API begin."""
    calls: set[str] = set()
    pages: set[str] = set()
    for pattern in _patterns(get_resolver().url_patterns):
        root = str(pattern.pattern).partition("/")[0]
        (calls if is_api(getattr(pattern, "callback", None)) else pages).add(root)
    return calls - pages


def _patterns(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[URLPattern | URLResolver]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver) and not str(pattern.pattern):
            yield from _patterns(pattern.url_patterns)
        else:
            yield pattern
