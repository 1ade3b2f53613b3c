"""`/api/v1/vectors/search`: search among the indexed vectors."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analysis.vectors.directions import NoDirection
from analysis.vectors.handler import VECTOR
from analysis.vectors.search import Match, nearest
from analysis.vectors.shapes import VectorMatchesSerializer
from tasks.errors import FieldError, InvalidInput
from tasks.rest import Body, query_values, refusals

LIMIT = 10
_LIMIT_SCHEMA = {"type": "integer", "minimum": 1, "maximum": 100, "default": LIMIT}
_SEARCH = Body(
    {
        "type": "object",
        "properties": {"vector": VECTOR, "limit": _LIMIT_SCHEMA},
        "required": ["vector"],
        "additionalProperties": False,
    }
)


class VectorSearchView(APIView):
    """`/api/v1/vectors/search`"""

    @extend_schema(
        operation_id="vectors_search",
        summary="Find the nearest vectors",
        tags=["vectors"],
        parameters=[
            OpenApiParameter(
                "vector",
                {"type": "string", "minLength": 1},
                required=True,
                description="Numbers separated by commas.",
            ),
            OpenApiParameter("limit", _LIMIT_SCHEMA),
        ],
        responses={200: VectorMatchesSerializer, **refusals(400)},
    )
    def get(self, request: Request) -> Response:
        """Return the vectors of the same dimension with the highest cosine."""
        return _search(
            request,
            _from_query(query_values(request.query_params, names=_SEARCH.schema["properties"])),
        )

    @extend_schema(
        operation_id="vectors_search_long",
        summary="Find the nearest vectors; the vector is in the body",
        tags=["vectors"],
        request={"application/json": _SEARCH.schema},
        examples=[OpenApiExample("A vector", value={"vector": [0.1, 0.2, 0.3]}, request_only=True)],
        responses={200: VectorMatchesSerializer, **refusals(400, 413, 415)},
    )
    def post(self, request: Request) -> Response:
        """Return the vectors of the same dimension with the highest cosine."""
        return _search(request, request.data)


def _search(request: Request, body: Any) -> Response:
    search = _SEARCH.check(body)
    limit = int(search.get("limit", LIMIT))
    try:
        matches = nearest(search["vector"], user=request.user, limit=limit)
    except NoDirection as error:
        raise InvalidInput([FieldError("vector", f"The vector cannot be used: {error}.")]) from None
    return Response({"results": [_document(match) for match in matches]})


def _from_query(parameters: dict[str, str]) -> dict[str, Any]:
    """Return the query's parameters as a body would have them."""
    body: dict[str, Any] = dict(parameters)
    for name, parse in (("vector", _numbers), ("limit", int)):
        try:
            if name in body:
                body[name] = parse(body[name])
        except ValueError:
            raise InvalidInput([FieldError(name, "Only numbers are allowed.")]) from None
    return body


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.strip(" []").split(",")]


def _document(match: Match) -> dict[str, Any]:
    return {
        "vector_id": match.vector.id,
        "task_id": match.vector.task_id,
        "position": match.vector.position,
        "score": match.score,
        "metadata": match.vector.metadata,
    }
