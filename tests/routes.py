"""Routes of the project: API, pages, console, health."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, get_resolver

ID = "01A200D2-1DAB-7673-843C-A7A7B68757AF"
_VALUES = {"anycase_uuid": ID, "int": "1", "str": "x", "slug": "x", "path": "x"}


def patterns(resolver: Any = None, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Yield each route of the project with its whole path."""
    for pattern in (resolver or get_resolver()).url_patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield path, pattern
        else:
            yield from patterns(pattern, path)


def filled(path: str) -> str:
    """Return a path that the route of this pattern answers."""
    without_regex = re.sub(r"\(\?P<\w+>.*\)\$?|\^", "x", path)
    return "/" + re.sub(
        r"<(?:(\w+):)?\w+>", lambda match: _VALUES[match[1] or "str"], without_regex
    )


def api_paths() -> list[str]:
    """Return a path for each documented route of the API."""
    return sorted(
        {filled(path) for path, pattern in patterns() if hasattr(pattern.callback, "cls")}
    )


def all_paths() -> list[str]:
    """Return a path for each route."""
    return sorted({filled(path) for path, _ in patterns()})
