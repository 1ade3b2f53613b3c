"""Query parameters of lists, as the OpenAPI document describes them."""

from __future__ import annotations

from typing import Any

import django_filters
from drf_spectacular.utils import OpenApiParameter

from tasks import filter_values
from tasks.api.filters import StrictFilterSet
from tasks.api.pagination import CURSOR_LENGTH, MAX_PAGE_SIZE, PAGE_SIZE

_FORMATS = {django_filters.UUIDFilter: "uuid", django_filters.IsoDateTimeFilter: "date-time"}
_SIZE = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE, "default": PAGE_SIZE}

PAGING_PARAMETERS = [
    OpenApiParameter(
        "cursor",
        {"type": "string", "minLength": 1, "maxLength": CURSOR_LENGTH},
        description="Page position; copy it from the `next` or `previous` link.",
    ),
    OpenApiParameter("page_size", _SIZE),
]


def list_parameters(filters: type[StrictFilterSet]) -> list[OpenApiParameter]:
    """Return the parameters of a list: its filters, its cursor and its page size."""
    rules = filters.base_filters.items()
    filtering = [
        OpenApiParameter(name, value_schema(rule), description=rule.extra.get("help_text", ""))
        for name, rule in rules
    ]
    return [*filtering, *PAGING_PARAMETERS]


def value_schema(rule: django_filters.Filter) -> dict[str, Any]:
    """Return the JSON Schema of a filter's value."""
    if choices := rule.extra.get("choices"):
        return {"type": "string", "enum": [value for value, _ in choices]}
    if format := _FORMATS.get(type(rule)):
        return {"type": "string", "format": format, "minLength": 1}
    return {
        "type": "string",
        "minLength": 1,
        "maxLength": rule.extra["max_length"],
        "pattern": filter_values.PATTERN,
    }
