"""`/api/v1/vectors/search`: the nearest of the vectors that were indexed."""

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
from tasks.rest import Body, refusals

LIMIT = 10
_LIMIT_SCHEMA = {"type": "integer", "minimum": 1, "maximum": 100, "default": LIMIT}
_WANTED = Body(
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
                "vector", str, required=True, description="Numbers separated by commas."
            ),
            OpenApiParameter("limit", _LIMIT_SCHEMA),
        ],
        responses={200: VectorMatchesSerializer, **refusals(400)},
    )
    def get(self, request: Request) -> Response:
        """Answer the vectors of the same dimension with the highest cosine."""
        return _found(request, _asked(request.query_params.dict()))

    @extend_schema(
        operation_id="vectors_search_long",
        summary="Find the nearest vectors to one that is too long for an address",
        tags=["vectors"],
        request={"application/json": _WANTED.schema},
        examples=[OpenApiExample("A vector", value={"vector": [0.1, 0.2, 0.3]}, request_only=True)],
        responses={200: VectorMatchesSerializer, **refusals(400, 413, 415)},
    )
    def post(self, request: Request) -> Response:
        """Answer the vectors of the same dimension with the highest cosine."""
        return _found(request, request.data)


def _found(request: Request, body: Any) -> Response:
    wanted = _WANTED.check(body)
    limit = int(wanted.get("limit", LIMIT))
    try:
        matches = nearest(wanted["vector"], user=request.user, limit=limit)
    except NoDirection as error:
        raise InvalidInput([FieldError("vector", f"Cannot be searched for: {error}.")]) from None
    return Response({"results": [_document(match) for match in matches]})


def _asked(parameters: dict[str, str]) -> dict[str, Any]:
    """Return what the query string says, as a body would say it."""
    asked: dict[str, Any] = dict(parameters)
    for name, read in (("vector", _numbers), ("limit", int)):
        try:
            if name in asked:
                asked[name] = read(asked[name])
        except ValueError:
            raise InvalidInput([FieldError(name, "This is no number.")]) from None
    return asked


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
