"""Pagination by cursor: pages stay stable while tasks come and go; rows are never counted."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView

from tasks import rfc3339

PAGE_SIZE = 50
MAX_PAGE_SIZE = 200
# Characters; the positions of all lists are shorter.
CURSOR_LENGTH = 200
# The query parameters of a list besides its filters.
PAGING = ("cursor", "page_size")


class TaskPages(CursorPagination):
    """Pages, newest first; links are paths on this server; invalid parameters are refused."""

    page_size = PAGE_SIZE
    page_size_query_param = "page_size"
    ordering: str | tuple[str, ...] = "-id"
    parse_position: Callable[[str], Any] = staticmethod(uuid.UUID)

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any] | None:
        """Return one page of rows."""
        page: list[Any] | None = super().paginate_queryset(queryset, request, view)
        # Behind a proxy the public host name may be unknown.
        self.base_url = request.get_full_path()
        return page

    def get_page_size(self, request: Request) -> int:
        """Return the requested page size; raise ValidationError."""
        size = request.query_params.get("page_size", str(PAGE_SIZE))
        if not (size.isdecimal() and len(size) < 4 and 1 <= int(size) <= MAX_PAGE_SIZE):
            raise ValidationError({"page_size": f"Must be 1 to {MAX_PAGE_SIZE}."})
        return int(size)

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Return the requested cursor; raise ValidationError for an invalid one."""
        if len(request.query_params.get("cursor", "")) > CURSOR_LENGTH:
            raise ValidationError({"cursor": "Invalid cursor."})
        try:
            cursor = super().decode_cursor(request)
            if cursor and cursor.position is not None:
                position = str(self.parse_position(str(cursor.position)))
                cursor = Cursor(*cursor[:2], position)  # type: ignore[arg-type]
        except (NotFound, ValueError):
            raise ValidationError({"cursor": "Invalid cursor."}) from None
        return cursor


class FailurePages(TaskPages):
    """Pages of failed tasks, newest failure first."""

    ordering = ("-finished_at", "-id")
    parse_position = staticmethod(rfc3339.parse)
