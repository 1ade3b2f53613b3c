"""Actions on tasks: retry, cancel, rescue."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks import lifecycle
from tasks.access import may_operate
from tasks.api.no_choice import require_no_choice
from tasks.api.permissions import IsOperatorOrOpen
from tasks.api.problems.openapi import refusals
from tasks.api.responses import accepted
from tasks.api.shapes.links import path_to
from tasks.api.shapes.tasks import RequeuedSerializer, TaskSerializer, task_document
from tasks.api.visible import changeable_task
from tasks.models import Status, Task
from tasks.stats import expected_reason


class RetryView(APIView):
    """`/api/v1/tasks/{task_id}/retry`"""

    @extend_schema(
        operation_id="tasks_retry",
        summary="Retry a task",
        tags=["tasks"],
        request=None,
        responses={202: TaskSerializer, **refusals(404, 409)},
    )
    def post(self, request: Request, task_id: uuid.UUID) -> Response:
        """Queue a failed or cancelled task again and allow it at least one more attempt."""
        task, document = _act(self, task_id, lifecycle.retry)
        return accepted(document, at=path_to("api:task", task.id), task=task)


class CancelView(APIView):
    """`/api/v1/tasks/{task_id}/cancel`"""

    @extend_schema(
        operation_id="tasks_cancel",
        summary="Cancel a task",
        tags=["tasks"],
        request=None,
        responses={200: TaskSerializer, 202: TaskSerializer, **refusals(404, 409)},
    )
    def post(self, request: Request, task_id: uuid.UUID) -> Response:
        """Cancel a waiting task at once (200), or request a running one to stop (202)."""
        task, document = _act(self, task_id, lifecycle.cancel)
        if task.status == Status.CANCELLED:
            return Response(document)
        return accepted(document, at=path_to("api:task", task.id))


class RequeueOrphanedView(APIView):
    """`/api/v1/tasks/requeue-orphaned`"""

    permission_classes = [IsOperatorOrOpen]

    @extend_schema(
        operation_id="tasks_requeue_orphaned",
        summary="Rescue the tasks of dead workers",
        tags=["tasks"],
        request=None,
        responses={200: RequeuedSerializer, **refusals(400)},
    )
    def post(self, request: Request) -> Response:
        """Rescue the tasks of dead workers at once; workers do the same every few seconds."""
        require_no_choice(request)
        return Response({"requeued": lifecycle.rescue()})


def _act(
    view: APIView, task_id: uuid.UUID, verb: Callable[[Task], Task]
) -> tuple[Task, dict[str, Any]]:
    try:
        task = verb(changeable_task(view, task_id))
    except Task.DoesNotExist:
        # Deleted since it was read.
        raise Http404 from None
    operator = may_operate(view.request.user)
    return task, task_document(task, waiting=expected_reason(task), with_tracebacks=operator)
