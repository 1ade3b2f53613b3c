"""Middleware: error answers for failures outside DRF views, and security headers."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

from csp.constants import HEADER
from csp.middleware import CSPMiddleware
from django.conf import settings
from django.core.signals import got_request_exception
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware
from django.template.loader import render_to_string
from django.urls import Resolver404, resolve
from rest_framework.request import is_form_media_type
from rest_framework.views import APIView

from tasks.api import problems
from tasks.api.problems import Problem
from tasks.api.problems.handler import problem_of

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class DatabaseOutageMiddleware:
    """Answer 503 when the database failed in a view or in inner middleware."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Replace Django's 500 when the database caused it."""
        response = self._get_response(request)
        problem = problem_of(vars(request).get("failure"))
        if problem is None or problem.type is not problems.DATABASE_UNAVAILABLE:
            return response
        if answers_json(request):
            return problem.response(instance=request.path)
        # Rendered without the request: its user would be read from the database.
        page = render_to_string("503.html")
        return HttpResponse(page, status=problem.type.status, headers=problem.headers)


class ApiMiddleware:
    """Keep HTML forms and HTML error pages out of the API's routes."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Turn error pages into problem documents."""
        response = self._get_response(request)
        _break_cycles(response)
        if response.status_code >= 400 and _is_page(response) and answers_json(request):
            return _as_problem(response, instance=request.path)
        return response

    def process_view(
        self, request: HttpRequest, view: Any, args: list[Any], kwargs: dict[str, Any]
    ) -> None:
        """Remove a form's content type, so that DRF does not parse a JSON body as a form.

        DRF would look for a CSRF token in an array, and read a missing boolean as false.
        """
        if is_api(view) and is_form_media_type(request.META.get("CONTENT_TYPE", "")):
            del request.META["CONTENT_TYPE"]


class HostMiddleware(CommonMiddleware):
    """Django's common middleware; health probes, and scrapers with a token, may name any host.

    They come to an address of the machine, which ALLOWED_HOSTS does not list. Without a token a
    scrape might be that of a page of another site, by a name that leads to this machine.
    """

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        """Refuse a host that is not allowed, except for probes and scrapers."""
        path = request.path_info.lstrip("/")
        is_exempt = any(re.search(pattern, path) for pattern in settings.SECURE_REDIRECT_EXEMPT)
        if is_exempt and (path.startswith("health") or "Authorization" in request.headers):
            return None
        return super().process_request(request)


class PolicyMiddleware(CSPMiddleware):
    """django-csp's policy for pages; all other responses may load nothing."""

    def process_request(self, request: HttpRequest) -> None:
        """Make no nonce: no page has scripts or styles of its own text."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Set the Content-Security-Policy of this response."""
        if _is_page(response):
            return super().process_response(request, response)
        response.headers.setdefault(HEADER, "default-src 'none'; frame-ancestors 'none'")
        return response


def _break_cycles(response: HttpResponseBase) -> None:
    """Let view, request and response of a rendered answer refer to each other no longer.

    Otherwise the garbage collector, which stops every thread, has to find them.
    """
    context = vars(response).pop("renderer_context", None)
    if context is not None:
        context["request"].parser_context = None
        # Django's view refers to its own method.
        vars(context["view"]).pop("head", None)


def _is_page(response: HttpResponseBase) -> bool:
    return response.headers.get("Content-Type", "").startswith("text/")


def _as_problem(page: HttpResponseBase, *, instance: str) -> HttpResponse:
    problem_type = problems.type_of_status(page.status_code)
    problem = Problem(type=problem_type, detail=f"{problem_type.title}.")
    response = problem.response(instance=instance)
    for name, value in page.items():
        if name != "Content-Length":
            response.setdefault(name, value)
    return response


def answers_json(request: HttpRequest) -> bool:
    """Return whether the caller of this path expects JSON rather than a page."""
    try:
        view = resolve(request.path_info, getattr(request, "urlconf", None)).func
    except Resolver404:
        accepted = request.headers.get("Accept", "")
        return request.path_info.startswith("/api/") or "text/html" not in accepted
    return is_api(view)


def is_api(view: Any) -> bool:
    """Return whether a view belongs to the API, and not to the pages."""
    return issubclass(getattr(view, "cls", object), APIView)


@receiver(got_request_exception)
def remember_failure(request: HttpRequest | None = None, **_: Any) -> None:
    """Keep the error for DatabaseOutageMiddleware, which sees only the resulting 500."""
    if request is not None:
        vars(request)["failure"] = sys.exc_info()[1]
