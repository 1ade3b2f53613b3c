"""How the OpenAPI document describes refusals."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers

from tasks.api.problems import type_of_status

# Any route may answer these: no key, not allowed, no database.
_EVERYWHERE = (401, 403, 503)


class FieldErrorSerializer(serializers.Serializer[Any]):
    """What is wrong with one value."""

    field = serializers.CharField(allow_blank=True, help_text="Its place, with dots between names.")
    message = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """A problem document (RFC 9457)."""

    type = serializers.CharField(help_text="A stable identifier, and where it is explained.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField(help_text="The path that was asked for.")
    # Shadows a property that only matters to serializers that parse.
    errors = FieldErrorSerializer(many=True, required=False)  # type: ignore[assignment]


def refusals(*statuses: int) -> dict[tuple[int, str], OpenApiResponse]:
    """Return the documented refusals of a route, those that any route may answer included."""
    return {
        (status, "application/problem+json"): OpenApiResponse(
            ProblemSerializer,
            description=type_of_status(status).title,
        )
        for status in sorted({*statuses, *_EVERYWHERE})
    }
