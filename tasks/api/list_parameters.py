"""Query parameters of lists, as the OpenAPI document describes them."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import django_filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from tasks.api.filters import StrictFilterSet
from tasks.api.pagination import MAX_PAGE_SIZE, PAGE_SIZE

_TYPES: dict[type, type] = {
    django_filters.UUIDFilter: uuid.UUID,
    django_filters.IsoDateTimeFilter: dt.datetime,
}


def list_parameters(filters: type[StrictFilterSet]) -> list[OpenApiParameter]:
    """Return the parameters of a list: its filters, its cursor and its page size."""
    size: dict[str, Any] = {
        "type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE, "default": PAGE_SIZE
    }  # fmt: skip
    return [
        *(_parameter(name, rule) for name, rule in filters.base_filters.items()),
        OpenApiParameter(
            "cursor", str, description="Page position; copy it from the `next` or `previous` link."
        ),
        OpenApiParameter("page_size", size),
    ]


def _parameter(name: str, rule: django_filters.Filter) -> OpenApiParameter:
    choices = rule.extra.get("choices")
    return OpenApiParameter(
        name,
        _TYPES.get(type(rule), OpenApiTypes.STR),
        enum=[value for value, _ in choices] if choices else None,
        description=rule.extra.get("help_text", ""),
    )
