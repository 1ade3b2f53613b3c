"""Error responses, as the OpenAPI document describes them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers

from tasks.api.problems import KEY_REUSED, WRONG_STATUS, type_of_status
from tasks.api.problems.types import ProblemType

# Any route may answer these: no valid key, not allowed, no database.
_EVERYWHERE = (401, 403, 503)
# Each stands for one type of problem in every route that documents it.
_TITLES = {KEY_REUSED.status: KEY_REUSED.title}


class FieldErrorSerializer(serializers.Serializer[Any]):
    """An invalid value."""

    field = serializers.CharField(
        allow_blank=True, help_text="The path to the value, with dots between names."
    )
    message = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """A problem document (RFC 9457)."""

    type = serializers.CharField(
        help_text="Identifier of the error type; it is also the path of the page that explains it."
    )
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField(help_text="The path of the request.")
    # Shadows a property that only matters to serializers that parse.
    errors = FieldErrorSerializer(many=True, required=False)  # type: ignore[assignment]


def refusals(
    *statuses: int, conflict: ProblemType = WRONG_STATUS
) -> dict[tuple[int, str], OpenApiResponse]:
    """Return the documented error responses of a route, including those of every route.

    A body that may be too large may also arrive too slowly. `conflict` is what a 409 means.
    """
    titles = {**_TITLES, conflict.status: conflict.title}
    with_a_body = (408,) if 413 in statuses else ()
    return {
        (status, "application/problem+json"): OpenApiResponse(
            ProblemSerializer,
            description=titles.get(status) or type_of_status(status).title,
        )
        for status in sorted({*statuses, *with_a_body, *_EVERYWHERE})
    }
