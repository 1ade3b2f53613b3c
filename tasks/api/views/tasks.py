"""Tasks: submit, list, get, delete."""

from __future__ import annotations

import uuid

from django.utils.cache import get_conditional_response
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks import lifecycle, long_poll
from tasks.access import may_operate
from tasks.api.filters import TaskFilters
from tasks.api.list_parameters import list_parameters
from tasks.api.pagination import TaskPages
from tasks.api.prefer_header import LONGEST_WAIT, seconds_to_wait
from tasks.api.problems.openapi import refusals
from tasks.api.problems.types import UNIQUE_CONFLICT
from tasks.api.responses import IDEMPOTENCY_KEY, accepted, seconds_until_due
from tasks.api.shapes import examples
from tasks.api.shapes.links import path_to
from tasks.api.shapes.new_task import TASK
from tasks.api.shapes.tasks import (
    CHANGING,
    TaskPageSerializer,
    TaskSerializer,
    queued_document,
    task_document,
    task_etag,
    task_summary,
)
from tasks.api.submissions import caller_options, task_options
from tasks.api.visible import changeable_task, visible_task
from tasks.models import Task
from tasks.models.task import TaskQuerySet
from tasks.stats import READ, Waiting, waiting_reason

PREFER = OpenApiParameter(
    "Prefer",
    str,
    "header",
    description="`wait=N`: respond when the task has ended, or after N seconds, at most"
    f" {LONGEST_WAIT}. The response has `Preference-Applied` if the wait was granted.",
)


def task_page(view: APIView, tasks: TaskQuerySet) -> Response:
    """Return a page of those tasks that match the request's filters."""
    pages = TaskPages()
    rows = tasks.defer("input", "result")
    filtered = TaskFilters.apply_query(view.request.query_params, rows)
    page = pages.paginate_queryset(filtered, view.request, view) or []
    return pages.get_paginated_response([task_summary(task) for task in page])


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
        """Return a page of the tasks that the caller may see, without inputs and results."""
        return task_page(self, Task.objects.visible_to(request.user))

    @extend_schema(
        operation_id="tasks_submit",
        summary="Submit a task",
        tags=["tasks"],
        request={"application/json": TASK.schema},
        examples=examples.SUBMISSIONS,
        parameters=[
            IDEMPOTENCY_KEY,
            OpenApiParameter(
                "Location", str, "header", response=[202], description="Path of the task."
            ),
            OpenApiParameter(
                "Retry-After",
                int,
                "header",
                response=[202],
                description="Seconds to wait before polling.",
            ),
            OpenApiParameter(
                "Unique-Conflict",
                str,
                "header",
                enum=["existing", "replaced"],
                response=[200],
                description="The request was for a unique task that exists: it is returned as it"
                " was, or with the values of this request.",
            ),
        ],
        responses={
            200: TaskSerializer,
            202: TaskSerializer,
            **refusals(400, 409, 413, 415, 422, conflict=UNIQUE_CONFLICT),
        },
    )
    def post(self, request: Request) -> Response:
        """Queue one task; the response is sent once the task is stored durably."""
        task = lifecycle.submit(**task_options(request.data), **caller_options(request))
        return accepted(queued_document(task), at=path_to("api:task", task.id), task=task)


class TaskView(APIView):
    """`/api/v1/tasks/{task_id}`"""

    @extend_schema(
        operation_id="tasks_get",
        summary="Get a task",
        tags=["tasks"],
        parameters=[
            OpenApiParameter(
                "If-None-Match", str, "header", description="The last `ETag` received."
            ),
            PREFER,
            OpenApiParameter("ETag", str, "header", response=[200, 304]),
            OpenApiParameter("Preference-Applied", str, "header", response=[200, 304]),
        ],
        responses={
            200: TaskSerializer,
            304: OpenApiResponse(description="Not modified"),
            **refusals(404),
        },
    )
    def get(self, request: Request, task_id: uuid.UUID) -> Response:
        """Return all details of a task, or 304 if it is unchanged since the given `ETag`."""
        seconds = self._wait(request, task_id) if "HTTP_PREFER" in request.META else None
        response = self._response(request, task_id)
        if seconds is not None:
            response["Preference-Applied"] = f"wait={seconds}"
        return response

    def _wait(self, request: Request, task_id: uuid.UUID) -> int | None:
        """Wait for the task's end as requested; return the longest wait granted, or None."""
        seconds = seconds_to_wait(request.META["HTTP_PREFER"])
        if seconds is None:
            return None
        task = visible_task(self, task_id, only=("id", "status"))
        waited = task.is_terminal or long_poll.until_ended(task_id, seconds=seconds)
        return seconds if waited else None

    def _response(self, request: Request, task_id: uuid.UUID) -> Response:
        if "HTTP_IF_NONE_MATCH" in request.META:
            not_modified = self._not_modified(request, task_id)
            if not_modified is not None:
                return not_modified
        task = visible_task(self, task_id, to_render=True)
        operator = task.error is not None and may_operate(request.user)
        waiting = self._waiting(task)
        document = task_document(task, waiting=waiting, with_tracebacks=operator)
        return self._with_etag(Response(document), task, waiting)

    def _waiting(self, task: Task) -> Waiting | None:
        return waiting_reason(task, to_operator=may_operate(self.request.user))

    def _not_modified(self, request: Request, task_id: uuid.UUID) -> Response | None:
        # Large columns are not read for a caller that has them.
        task = visible_task(self, task_id, only=("id", *CHANGING, *READ))
        empty = Response(status=status.HTTP_304_NOT_MODIFIED)
        response = self._with_etag(empty, task, self._waiting(task))
        is_modified = get_conditional_response(request._request, etag=response["ETag"]) is None
        return None if is_modified else response

    def _with_etag(self, response: Response, task: Task, waiting: Waiting | None) -> Response:
        operator = may_operate(self.request.user)
        response["ETag"] = task_etag(task, waiting=waiting, with_tracebacks=operator)
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
