"""`/process` and `/results`: computations."""

from __future__ import annotations

import uuid
from typing import Any

from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analysis.compute.handler import INPUT
from analysis.compute.shapes import ComputationAcceptedSerializer, ComputationSerializer
from analysis.input_schema import body_schema
from analysis.submissions import submit_input
from tasks.models import Status, Task
from tasks.rest import IDEMPOTENCY_KEY, Body, accepted, refusals

KIND = "compute"
_SPELLINGS = {
    Status.PENDING: "pending",
    Status.PROCESSING: "pending",
    Status.COMPLETED: "completed",
    Status.FAILED: "failed",
    Status.CANCELLED: "failed",
}
# Only the outer object is checked here; the kind checks the data.
_FRAME = Body(
    {
        "type": "object",
        "properties": {"data": {"type": ["object", "null"]}},
        "additionalProperties": False,
    }
)
_DATA = body_schema(INPUT)
_SHOWN = ("status", "result", "error", "created_at", "finished_at")


class ProcessView(APIView):
    """`/process`"""

    @extend_schema(
        operation_id="computations_submit",
        summary="Submit a computation",
        tags=["computations"],
        request={"application/json": {**_FRAME.schema, "properties": {"data": _DATA}}},
        examples=[
            OpenApiExample(
                "The default operation",
                value={"data": {"input": 42, "operation": "compute"}},
                request_only=True,
            )
        ],
        parameters=[IDEMPOTENCY_KEY],
        responses={
            200: ComputationAcceptedSerializer,
            202: ComputationAcceptedSerializer,
            **refusals(400, 413, 415, 422),
        },
    )
    def post(self, request: Request) -> Response:
        """Queue a computation: `compute` unless the body names another operation."""
        data = _FRAME.check(request.data).get("data") or {}
        task = submit_input(request, KIND, data, at="data")
        document = {
            "task_id": task.id,
            "status": "pending",
            "message": "Task queued for processing",
        }
        return accepted(document, at=reverse("analysis:results", args=[task.id]), task=task)


class ResultsView(APIView):
    """`/results/{task_id}`"""

    @extend_schema(
        operation_id="computations_get",
        summary="Get a computation",
        tags=["computations"],
        responses={200: ComputationSerializer, **refusals(404)},
    )
    def get(self, request: Request, task_id: uuid.UUID) -> Response:
        """Return the status, and the result or the error once there is one."""
        computations = Task.objects.visible_to(request.user).filter(kind=KIND).only("id", *_SHOWN)
        return Response(_document(get_object_or_404(computations, pk=task_id)))


def _document(task: Task) -> dict[str, Any]:
    return {
        "task_id": task.id,
        "status": _SPELLINGS[Status(task.status)],
        "result": task.result and task.result["result"],
        "error_message": _error_message(task),
        "created_at": task.created_at,
        "completed_at": task.finished_at,
    }


def _error_message(task: Task) -> str | None:
    if task.status == Status.CANCELLED:
        return "Cancelled."
    return task.failure_detail
