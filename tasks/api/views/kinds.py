"""Kinds of task that can be submitted."""

from __future__ import annotations

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks import kinds
from tasks.api.problems.openapi import refusals
from tasks.api.query_values import query_values
from tasks.api.shapes.kinds import KindSerializer, KindsSerializer, kind_document
from tasks.errors import UnknownKind


class KindsView(APIView):
    """`/api/v1/kinds/`"""

    @extend_schema(
        operation_id="kinds_list",
        summary="List kinds of task",
        tags=["kinds"],
        responses={200: KindsSerializer, **refusals(400)},
    )
    def get(self, request: Request) -> Response:
        """Return every kind that can be submitted, sorted by name."""
        query_values(request.query_params)
        return Response({"kinds": [kind_document(kind) for kind in kinds.all_kinds().values()]})


class KindView(APIView):
    """`/api/v1/kinds/{name}`"""

    @extend_schema(
        operation_id="kinds_get",
        summary="Get a kind of task",
        tags=["kinds"],
        responses={200: KindSerializer, **refusals(404)},
    )
    def get(self, request: Request, name: str) -> Response:
        """Return a kind's description, input schema, limits and retry policy."""
        try:
            return Response(kind_document(kinds.get(name)))
        except UnknownKind as error:
            raise Http404(str(error)) from None
