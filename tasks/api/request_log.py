"""Middleware: names each request, and logs it if ACCESS_LOG is set."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tasks.correlation import Cause, running
from tasks.counts import OTHER, REQUESTS, counts

log = logging.getLogger("tasks.access")

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


@dataclass(frozen=True)
class Call:
    """A request, as the subject of what is logged and submitted meanwhile."""

    cause: Cause

    def log_fields(self) -> dict[str, Any]:
        """Return the request's id and trace."""
        return self.cause.log_fields()


class RequestLogMiddleware:
    """Take or make the request's id; return it in `X-Request-ID`.

    Must be the outermost middleware, so that refusals of others have an id too.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve one request."""
        began = time.monotonic()
        cause = Cause.of_headers(
            request.META.get("HTTP_X_REQUEST_ID", ""), request.META.get("HTTP_TRACEPARENT", "")
        )
        with running(Call(cause)):
            response = self._get_response(request)
            response.headers["X-Request-ID"] = cause.request_id
            seconds = time.monotonic() - began
            _count(request, response, seconds)
            if settings.ACCESS_LOG:
                match = request.resolver_match
                route = match.route if match else None
                log_answer(request.method, request.path, route, response.status_code, seconds)
        return response


def _count(request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
    # Each method of a route that does not exist would be one more, and a caller may invent some.
    match = request.resolver_match
    method = request.method if match and request.method in _METHODS else OTHER
    route = match.route if match else OTHER
    counts.observe(REQUESTS, str(method), route, str(response.status_code), seconds=[seconds])


def log_answer(
    method: str | None, path: str, route: str | None, status: int, seconds: float
) -> None:
    """Log that a request was answered; the path is without the query, which may have a secret."""
    log.info(
        "request answered",
        extra={
            "method": method,
            "path": path,
            "route": route,
            "status": status,
            "seconds": round(seconds, 4),
        },
    )
