"""Answers to what fails before or beside a DRF view."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from django.core.signals import got_request_exception
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve
from rest_framework.views import APIView

from tasks.api import problems
from tasks.api.errors import problem_of
from tasks.api.problems import Problem, type_of_status

GetResponse = Callable[[HttpRequest], HttpResponseBase]

_OUTAGE_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Not available</title>
<h1>Not available right now</h1>
<p>The database cannot be reached. Nothing was lost; please try again in a few seconds.</p>
</html>
"""


class DatabaseOutageMiddleware:
    """Answer 503 wherever the database failed, in views and in the middleware below."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Replace Django's 500 when a lost database is its cause."""
        response = self._get_response(request)
        problem = problem_of(vars(request).get("failure"))
        if problem is None or problem.type is not problems.DATABASE_UNAVAILABLE:
            return response
        if answers_json(request):
            return problem.response(instance=request.path)
        return HttpResponse(_OUTAGE_PAGE, status=problem.type.status, headers=problem.headers)


class ProblemMiddleware:
    """Answer callers of the API in problem documents where Django would send a page."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Refuse bodies whose end cannot be found, and translate error pages."""
        if "Transfer-Encoding" in request.headers and not request.META.get("CONTENT_LENGTH"):
            detail = "This server cannot read a chunked body."
            problem = Problem(type=problems.LENGTH_REQUIRED, detail=detail)
            return problem.response(instance=request.path)
        response = self._get_response(request)
        is_page = response.headers.get("Content-Type", "").startswith("text/")
        if response.status_code < 400 or not is_page or not answers_json(request):
            return response
        kind = type_of_status(response.status_code)
        translated = Problem(type=kind, detail=f"{kind.title}.").response(instance=request.path)
        for name, value in response.items():
            if name != "Content-Length":
                translated.setdefault(name, value)
        return translated

    def process_view(
        self, request: HttpRequest, view: Any, args: list[Any], kwargs: dict[str, Any]
    ) -> None:
        """Take the label off an empty form, which serializers would read as HTML's false."""
        if _is_api(view) and not int(request.META.get("CONTENT_LENGTH") or 0):
            request.META.pop("CONTENT_TYPE", None)


def answers_json(request: HttpRequest) -> bool:
    """Tell whether the caller of this path expects JSON rather than a page."""
    try:
        view = resolve(request.path_info, getattr(request, "urlconf", None)).func
    except Resolver404:
        accepted = request.headers.get("Accept", "")
        return request.path_info.startswith("/api/") or "text/html" not in accepted
    return _is_api(view)


def _is_api(view: Any) -> bool:
    return issubclass(getattr(view, "cls", object), APIView)


@receiver(got_request_exception)
def remember_failure(request: HttpRequest | None = None, **_: Any) -> None:
    """Keep the error for DatabaseOutageMiddleware, which only sees the 500 made of it."""
    if request is not None:
        vars(request)["failure"] = sys.exc_info()[1]
