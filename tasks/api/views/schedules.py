"""Schedules: for operators only, since a schedule continues when its creator has left."""

from __future__ import annotations

import uuid

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks import schedules
from tasks.api.list_parameters import PAGING_PARAMETERS
from tasks.api.pagination import PAGING, TaskPages
from tasks.api.permissions import IsOperator
from tasks.api.problems.openapi import refusals
from tasks.api.query_values import query_values
from tasks.api.responses import IDEMPOTENCY_KEY, accepted
from tasks.api.shapes.links import path_to
from tasks.api.shapes.schedules import (
    CHANGE_EXAMPLES,
    NEW_EXAMPLES,
    NEW_SCHEDULE,
    SCHEDULE_CHANGES,
    SchedulePageSerializer,
    ScheduleRunsSerializer,
    ScheduleSerializer,
    runs_document,
    schedule_document,
)
from tasks.api.shapes.tasks import TaskSerializer, queued_document
from tasks.api.submissions import caller_options
from tasks.models import Schedule


class SchedulesView(APIView):
    """`/api/v1/schedules/`"""

    permission_classes = [IsOperator]

    @extend_schema(
        operation_id="schedules_list",
        summary="List schedules, newest first",
        tags=["schedules"],
        parameters=PAGING_PARAMETERS,
        responses={200: SchedulePageSerializer, **refusals(400)},
    )
    def get(self, request: Request) -> Response:
        """Return a page of all schedules."""
        query_values(request.query_params, names=PAGING)
        pages = TaskPages()
        page = pages.paginate_queryset(Schedule.objects.all(), request, self) or []
        return pages.get_paginated_response([schedule_document(schedule) for schedule in page])

    @extend_schema(
        operation_id="schedules_create",
        summary="Create a schedule",
        tags=["schedules"],
        request={"application/json": NEW_SCHEDULE.schema},
        examples=NEW_EXAMPLES,
        parameters=[OpenApiParameter("Location", str, "header", response=[201])],
        responses={201: ScheduleSerializer, **refusals(400, 413, 415)},
    )
    def post(self, request: Request) -> Response:
        """Create a schedule that submits a task at set times.

        The caller owns the submitted tasks.
        """
        owner = request.user if request.user.is_authenticated else None
        schedule = schedules.create(**NEW_SCHEDULE.check(request.data), owner=owner)
        return Response(
            schedule_document(schedule),
            status=status.HTTP_201_CREATED,
            headers={"Location": path_to("api:schedule", schedule.id)},
        )


class ScheduleView(APIView):
    """`/api/v1/schedules/{schedule_id}`"""

    permission_classes = [IsOperator]

    @extend_schema(
        operation_id="schedules_get",
        summary="Get a schedule",
        tags=["schedules"],
        responses={200: ScheduleSerializer, **refusals(404)},
    )
    def get(self, request: Request, schedule_id: uuid.UUID) -> Response:
        """Return all details of a schedule, including its next run and its last task."""
        return Response(schedule_document(_schedule(schedule_id)))

    @extend_schema(
        operation_id="schedules_change",
        summary="Change a schedule",
        tags=["schedules"],
        request={"application/json": SCHEDULE_CHANGES.schema},
        examples=CHANGE_EXAMPLES,
        responses={200: ScheduleSerializer, **refusals(400, 404, 413, 415)},
    )
    def patch(self, request: Request, schedule_id: uuid.UUID) -> Response:
        """Change only the given fields; an input is replaced as a whole."""
        changes = SCHEDULE_CHANGES.check(request.data)
        return Response(schedule_document(schedules.change(_schedule(schedule_id), **changes)))

    @extend_schema(
        operation_id="schedules_delete",
        summary="Delete a schedule",
        tags=["schedules"],
        responses={204: None, **refusals(404)},
    )
    def delete(self, request: Request, schedule_id: uuid.UUID) -> Response:
        """Delete a schedule; the tasks that it submitted stay."""
        schedules.remove(_schedule(schedule_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class RunsView(APIView):
    """`/api/v1/schedules/{schedule_id}/runs`"""

    permission_classes = [IsOperator]

    @extend_schema(
        operation_id="schedules_runs",
        summary="List the runs of a schedule, newest first",
        tags=["schedules"],
        responses={200: ScheduleRunsSerializer, **refusals(404)},
    )
    def get(self, request: Request, schedule_id: uuid.UUID) -> Response:
        """Return the last hundred runs with their tasks, and why some submitted none."""
        return Response(runs_document(list(_schedule(schedule_id).runs.all())))


class EnableView(APIView):
    """`/api/v1/schedules/{schedule_id}/enable`"""

    permission_classes = [IsOperator]

    @extend_schema(
        operation_id="schedules_enable",
        summary="Enable a schedule",
        tags=["schedules"],
        request=None,
        responses={200: ScheduleSerializer, **refusals(400, 404)},
    )
    def post(self, request: Request, schedule_id: uuid.UUID) -> Response:
        """Enable a schedule.

        The schedule submits tasks again from its next run on; runs missed while it was disabled are
        skipped.
        """
        return Response(schedule_document(schedules.change(_schedule(schedule_id), enabled=True)))


class DisableView(APIView):
    """`/api/v1/schedules/{schedule_id}/disable`"""

    permission_classes = [IsOperator]

    @extend_schema(
        operation_id="schedules_disable",
        summary="Disable a schedule",
        tags=["schedules"],
        request=None,
        responses={200: ScheduleSerializer, **refusals(404)},
    )
    def post(self, request: Request, schedule_id: uuid.UUID) -> Response:
        """Submit no tasks until the schedule is enabled again."""
        return Response(schedule_document(schedules.change(_schedule(schedule_id), enabled=False)))


class RunView(APIView):
    """`/api/v1/schedules/{schedule_id}/run`"""

    permission_classes = [IsOperator]

    @extend_schema(
        operation_id="schedules_run",
        summary="Run a schedule now",
        tags=["schedules"],
        request=None,
        parameters=[IDEMPOTENCY_KEY],
        responses={200: TaskSerializer, 202: TaskSerializer, **refusals(400, 404, 422)},
    )
    def post(self, request: Request, schedule_id: uuid.UUID) -> Response:
        """Submit the task at once, even if the schedule is disabled; the next run is unchanged.

        The task belongs to the schedule's owner, and so does the Idempotency-Key.
        """
        key = caller_options(request)["idempotency_key"]
        task = schedules.run_now(_schedule(schedule_id), idempotency_key=key)
        return accepted(queued_document(task), at=path_to("api:task", task.id), task=task)


def _schedule(schedule_id: uuid.UUID) -> Schedule:
    return get_object_or_404(Schedule, pk=schedule_id)
