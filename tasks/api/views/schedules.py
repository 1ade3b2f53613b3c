"""Tasks by the clock: for operators, since a schedule works on when its maker is gone."""

from __future__ import annotations

import uuid

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks import schedules
from tasks.api.pagination import MAX_PAGE_SIZE, PAGE_SIZE, TaskPages
from tasks.api.permissions import IsOperator
from tasks.api.problems.openapi import refusals
from tasks.api.responses import accepted
from tasks.api.shapes.links import path_to
from tasks.api.shapes.schedules import (
    CHANGE_EXAMPLES,
    NEW_EXAMPLES,
    NEW_SCHEDULE,
    SCHEDULE_CHANGES,
    SchedulePageSerializer,
    ScheduleSerializer,
    schedule_document,
)
from tasks.api.shapes.tasks import TaskSerializer, task_document
from tasks.models import Schedule

_PAGING = [
    OpenApiParameter("cursor", str, description="From the `next` or `previous` of a page."),
    OpenApiParameter(
        "page_size",
        {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE, "default": PAGE_SIZE},
    ),
]


class SchedulesView(APIView):
    """`/api/v1/schedules/`"""

    permission_classes = [IsOperator]

    @extend_schema(
        operation_id="schedules_list",
        summary="List schedules, newest first",
        tags=["schedules"],
        parameters=_PAGING,
        responses={200: SchedulePageSerializer, **refusals(400)},
    )
    def get(self, request: Request) -> Response:
        """Answer a page of all schedules."""
        pages = TaskPages()
        page = pages.paginate_queryset(Schedule.objects.all(), request, self) or []
        return pages.get_paginated_response([schedule_document(one) for one in page])

    @extend_schema(
        operation_id="schedules_create",
        summary="Make a schedule",
        tags=["schedules"],
        request={"application/json": NEW_SCHEDULE.schema},
        examples=NEW_EXAMPLES,
        parameters=[OpenApiParameter("Location", str, "header", response=[201])],
        responses={201: ScheduleSerializer, **refusals(400, 413, 415)},
    )
    def post(self, request: Request) -> Response:
        """Have a task submitted at every tick; its tasks are the caller's."""
        owner = request.user if request.user.is_authenticated else None
        made = schedules.create(**NEW_SCHEDULE.check(request.data), owner=owner)
        return Response(
            schedule_document(made),
            status=status.HTTP_201_CREATED,
            headers={"Location": path_to("api:schedule", made.id)},
        )


class ScheduleView(APIView):
    """`/api/v1/schedules/{schedule_id}`"""

    permission_classes = [IsOperator]

    @extend_schema(
        operation_id="schedules_get",
        summary="Look at a schedule",
        tags=["schedules"],
        responses={200: ScheduleSerializer, **refusals(404)},
    )
    def get(self, request: Request, schedule_id: uuid.UUID) -> Response:
        """Answer what is submitted, when next, and which task was the last."""
        return Response(schedule_document(_found(schedule_id)))

    @extend_schema(
        operation_id="schedules_change",
        summary="Change a schedule",
        tags=["schedules"],
        request={"application/json": SCHEDULE_CHANGES.schema},
        examples=CHANGE_EXAMPLES,
        responses={200: ScheduleSerializer, **refusals(400, 404, 413, 415)},
    )
    def patch(self, request: Request, schedule_id: uuid.UUID) -> Response:
        """Change what is given and leave the rest; an input is replaced as a whole."""
        changes = SCHEDULE_CHANGES.check(request.data)
        return Response(schedule_document(schedules.change(_found(schedule_id), **changes)))

    @extend_schema(
        operation_id="schedules_delete",
        summary="Delete a schedule",
        tags=["schedules"],
        responses={204: None, **refusals(404)},
    )
    def delete(self, request: Request, schedule_id: uuid.UUID) -> Response:
        """Submit nothing more; the tasks that it submitted stay."""
        schedules.remove(_found(schedule_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class EnableView(APIView):
    """`/api/v1/schedules/{schedule_id}/enable`"""

    permission_classes = [IsOperator]

    @extend_schema(
        operation_id="schedules_enable",
        summary="Switch a schedule on",
        tags=["schedules"],
        request=None,
        responses={200: ScheduleSerializer, **refusals(400, 404)},
    )
    def post(self, request: Request, schedule_id: uuid.UUID) -> Response:
        """Wait for the next tick; what was missed meanwhile is not made up for."""
        return Response(schedule_document(schedules.change(_found(schedule_id), enabled=True)))


class DisableView(APIView):
    """`/api/v1/schedules/{schedule_id}/disable`"""

    permission_classes = [IsOperator]

    @extend_schema(
        operation_id="schedules_disable",
        summary="Switch a schedule off",
        tags=["schedules"],
        request=None,
        responses={200: ScheduleSerializer, **refusals(404)},
    )
    def post(self, request: Request, schedule_id: uuid.UUID) -> Response:
        """Submit nothing until it is switched on again."""
        return Response(schedule_document(schedules.change(_found(schedule_id), enabled=False)))


class RunView(APIView):
    """`/api/v1/schedules/{schedule_id}/run`"""

    permission_classes = [IsOperator]

    @extend_schema(
        operation_id="schedules_run",
        summary="Run a schedule now",
        tags=["schedules"],
        request=None,
        responses={202: TaskSerializer, **refusals(400, 404)},
    )
    def post(self, request: Request, schedule_id: uuid.UUID) -> Response:
        """Submit its task at once, be it on or off; the next tick comes all the same."""
        task = schedules.run_now(_found(schedule_id))
        return accepted(task_document(task), at=path_to("api:task", task.id), task=task)


def _found(schedule_id: uuid.UUID) -> Schedule:
    return get_object_or_404(Schedule, pk=schedule_id)
