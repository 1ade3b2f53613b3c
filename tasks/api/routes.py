"""Routes: each is served with and without a trailing slash, and documented once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http.response import HttpResponseBase
from django.urls import URLPattern, path

View = Callable[..., HttpResponseBase]
# Path, the path's regular expression, method, view: as drf-spectacular lists them.
Endpoint = tuple[str, str, str, Any]


def route(spelling: str, view: View, *, name: str | None = None) -> list[URLPattern]:
    """Return the patterns of one route; the documented one is the given spelling."""
    other = spelling.removesuffix("/") if spelling.endswith("/") else f"{spelling}/"
    return [path(spelling, view, name=name), path(other, view)]


def document_once(endpoints: list[Endpoint], **_: Any) -> list[Endpoint]:
    """Drop the second spelling of each route from the OpenAPI document."""
    seen: set[tuple[str, str]] = set()
    kept = []
    for endpoint in endpoints:
        spelling, _regex, method, _view = endpoint
        key = (spelling.rstrip("/"), method)
        if key not in seen:
            kept.append(endpoint)
        seen.add(key)
    return kept
