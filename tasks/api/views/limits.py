"""Limits: for operators only, since they hold for the tasks of all owners."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import User
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks import limits, stats
from tasks.api.list_parameters import PAGING_PARAMETERS
from tasks.api.pagination import PAGING, TaskPages
from tasks.api.permissions import IsOperator
from tasks.api.problems.openapi import refusals
from tasks.api.query_values import query_values
from tasks.api.shapes.limits import (
    CHANGE_EXAMPLES,
    LIMIT_CHANGES,
    NEW_EXAMPLES,
    NEW_LIMIT,
    LimitDetailSerializer,
    LimitPageSerializer,
    LimitSerializer,
    limit_document,
    value_document,
)
from tasks.api.shapes.links import path_to
from tasks.models import Limit, Scope

_MOST_VALUES = 20


class LimitsView(APIView):
    """`/api/v1/limits/`"""

    permission_classes = [IsOperator]

    @extend_schema(
        operation_id="limits_list",
        summary="List limits, newest first",
        tags=["limits"],
        parameters=PAGING_PARAMETERS,
        responses={200: LimitPageSerializer, **refusals(400)},
    )
    def get(self, request: Request) -> Response:
        """Return a page of all limits, with what runs and waits under each."""
        query_values(request.query_params, names=PAGING)
        pages = TaskPages()
        page = pages.paginate_queryset(Limit.objects.all(), request, self) or []
        return pages.get_paginated_response(_documents(page))

    @extend_schema(
        operation_id="limits_create",
        summary="Create a limit",
        tags=["limits"],
        request={"application/json": NEW_LIMIT.schema},
        examples=NEW_EXAMPLES,
        parameters=[OpenApiParameter("Location", str, "header", response=[201])],
        responses={201: LimitSerializer, **refusals(400, 413, 415)},
    )
    def post(self, request: Request) -> Response:
        """Limit the tasks of a queue, a kind, each owner, or each value in a kind's input.

        Tasks that already wait come under it within seconds (`applies_at`).
        """
        operator = request.user.get_username()
        limit = limits.create(**NEW_LIMIT.check(request.data), operator=operator)
        return Response(
            _documents([limit])[0],
            status=status.HTTP_201_CREATED,
            headers={"Location": path_to("api:limit", limit.pk)},
        )


class LimitView(APIView):
    """`/api/v1/limits/{limit_id}`"""

    permission_classes = [IsOperator]

    @extend_schema(
        operation_id="limits_get",
        summary="Get a limit",
        tags=["limits"],
        responses={200: LimitDetailSerializer, **refusals(404)},
    )
    def get(self, request: Request, limit_id: uuid.UUID) -> Response:
        """Return a limit with the values that are full or used most."""
        limit = get_object_or_404(Limit, pk=limit_id)
        values = stats.busiest_values(limit, count=_MOST_VALUES)
        owners = _owners(value.value for value in values) if limit.scope == Scope.OWNER else {}
        documents = [value_document(value, owners=owners) for value in values]
        return Response(_documents([limit])[0] | {"values": documents})

    @extend_schema(
        operation_id="limits_change",
        summary="Change a limit",
        tags=["limits"],
        request={"application/json": LIMIT_CHANGES.schema},
        examples=CHANGE_EXAMPLES,
        responses={200: LimitSerializer, **refusals(400, 404, 413, 415)},
    )
    def patch(self, request: Request, limit_id: uuid.UUID) -> Response:
        """Change the given values; running tasks are never stopped, others start or wait at once.

        A change of a limit that the code declares holds until the declaration changes.
        """
        changes = LIMIT_CHANGES.check(request.data)
        limit = get_object_or_404(Limit, pk=limit_id)
        changed = limits.change(limit, **changes, operator=request.user.get_username())
        return Response(_documents([changed])[0])

    @extend_schema(
        operation_id="limits_delete",
        summary="Delete a limit",
        tags=["limits"],
        responses={204: None, **refusals(404)},
    )
    def delete(self, request: Request, limit_id: uuid.UUID) -> Response:
        """Delete a limit, with the exceptions to it; what waits for it can start.

        One that the code declares is created again when a worker starts.
        """
        limits.delete(get_object_or_404(Limit, pk=limit_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


def _documents(page: list[Limit]) -> list[dict[str, Any]]:
    usage = stats.limit_usage(page)
    owners = _owners(limit.value for limit in page if limit.scope == Scope.OWNER and limit.value)
    return [
        limit_document(limit, usage=usage[limit.pk], owner=owners.get(limit.value, ""))
        for limit in page
    ]


def _owners(ids: Iterable[str]) -> dict[str, str]:
    """Return the names of owners by their ids."""
    names = User.objects.filter(pk__in=set(ids)).values_list("pk", "username")
    return {str(pk): name for pk, name in names}
