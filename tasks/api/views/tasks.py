"""Submitting tasks, and looking at them."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpResponse
from django.utils.cache import get_conditional_response
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks import lifecycle, long_poll
from tasks.api.filters import TaskFilters
from tasks.api.list_parameters import list_parameters
from tasks.api.pagination import TaskPages
from tasks.api.permissions import is_operator
from tasks.api.prefer_header import LONGEST_WAIT, seconds_to_wait
from tasks.api.problems.openapi import refusals
from tasks.api.responses import IDEMPOTENCY_KEY, accepted, seconds_until_due
from tasks.api.shapes import examples
from tasks.api.shapes.links import path_to
from tasks.api.shapes.tasks import (
    CHANGING,
    TASK,
    TaskPageSerializer,
    TaskSerializer,
    task_document,
    task_etag,
    task_summary,
)
from tasks.api.submissions import caller_options, task_options
from tasks.api.visible import changeable_task, visible_task
from tasks.models import Task

PREFER = OpenApiParameter(
    "Prefer",
    str,
    "header",
    description="`wait=N`: answer when the task has ended, or after N seconds, at most"
    f" {LONGEST_WAIT}. Where that was done, `Preference-Applied` says so.",
)


class TasksView(APIView):
    """`/api/v1/tasks/`"""

    @extend_schema(
        operation_id="tasks_list",
        summary="List tasks, newest first",
        tags=["tasks"],
        parameters=list_parameters(TaskFilters),
        responses={200: TaskPageSerializer, **refusals(400)},
    )
    def get(self, request: Request) -> Response:
        """Answer a page of the tasks that the caller sees, without their inputs and results."""
        visible = Task.objects.visible_to(request.user).defer("input", "result")
        pages = TaskPages()
        asked = TaskFilters.apply(request.query_params.dict(), visible)
        page = pages.paginate_queryset(asked, request, self) or []
        return pages.get_paginated_response([task_summary(task) for task in page])

    @extend_schema(
        operation_id="tasks_submit",
        summary="Submit a task",
        tags=["tasks"],
        request={"application/json": TASK.schema},
        examples=examples.SUBMISSIONS,
        parameters=[
            IDEMPOTENCY_KEY,
            OpenApiParameter("Location", str, "header", response=[202], description="The task."),
            OpenApiParameter("Retry-After", int, "header", response=[202], description="Seconds."),
        ],
        responses={200: TaskSerializer, 202: TaskSerializer, **refusals(400, 413, 415, 422)},
    )
    def post(self, request: Request) -> Response:
        """Queue one task; the answer comes when it is durably stored."""
        task = lifecycle.submit(**task_options(request.data), **caller_options(request))
        return accepted(task_document(task), at=path_to("api:task", task.id), task=task)


class TaskView(APIView):
    """`/api/v1/tasks/{task_id}`"""

    @extend_schema(
        operation_id="tasks_get",
        summary="Look at a task",
        tags=["tasks"],
        parameters=[
            OpenApiParameter("If-None-Match", str, "header", description="The last `ETag` seen."),
            PREFER,
            OpenApiParameter("ETag", str, "header", response=[200, 304]),
            OpenApiParameter("Preference-Applied", str, "header", response=[200, 304]),
        ],
        responses={
            200: TaskSerializer,
            304: OpenApiResponse(description="It is as it was."),
            **refusals(404),
        },
    )
    def get(self, request: Request, task_id: uuid.UUID) -> HttpResponse:
        """Answer all that is known about a task; 304 when the caller knows it already."""
        waited = self._waited(request, task_id) if "HTTP_PREFER" in request.META else None
        response = self._answer(request, task_id)
        if waited is not None:
            response["Preference-Applied"] = f"wait={waited}"
        return response

    def _waited(self, request: Request, task_id: uuid.UUID) -> int | None:
        """Wait as the caller would like; return for how long at most, or None."""
        seconds = seconds_to_wait(request.META["HTTP_PREFER"])
        if seconds is None:
            return None
        known = visible_task(self, task_id, only=("id", "status"))
        done = known.is_terminal or long_poll.until_ended(task_id, seconds=seconds)
        return seconds if done else None

    def _answer(self, request: Request, task_id: uuid.UUID) -> HttpResponse:
        if "HTTP_IF_NONE_MATCH" in request.META and (same := self._unchanged(request, task_id)):
            return same
        task = visible_task(self, task_id)
        operator = task.error is not None and is_operator(self)
        response = Response(task_document(task, with_tracebacks=operator))
        return self._tagged(response, task)

    def _unchanged(self, request: Request, task_id: uuid.UUID) -> HttpResponse | None:
        # Large columns are not read for somebody who has them.
        known = visible_task(self, task_id, only=("id", *CHANGING))
        response = self._tagged(HttpResponse(), known)
        conditional: Any = get_conditional_response(
            request._request, etag=response["ETag"], response=response
        )
        return None if conditional is response else conditional

    def _tagged(self, response: HttpResponse, task: Task) -> HttpResponse:
        response["ETag"] = task_etag(task, with_tracebacks=is_operator(self))
        response["Cache-Control"] = "private, no-cache"
        if not task.is_terminal:
            response["Retry-After"] = str(seconds_until_due(task))
        return response

    @extend_schema(
        operation_id="tasks_delete",
        summary="Delete a task",
        tags=["tasks"],
        responses={204: None, **refusals(404, 409)},
    )
    def delete(self, request: Request, task_id: uuid.UUID) -> Response:
        """Delete a task and its history, unless it is being processed."""
        lifecycle.delete(changeable_task(self, task_id))
        return Response(status=status.HTTP_204_NO_CONTENT)
