"""`/v1/tasks`: analyses of texts."""

from __future__ import annotations

import uuid
from typing import Any

from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analysis.input_schema import body_schema
from analysis.submissions import submit_input
from analysis.text.handler import INPUT
from analysis.text.shapes import TextTaskCreatedSerializer, TextTaskSerializer
from tasks.models import Task
from tasks.rest import IDEMPOTENCY_KEY, accepted, refusals

KIND = "text.analyze"
_TEXT = "To be, or not to be, that is the question."
_SHOWN = (
    "status", "attempt", "result", "error", "created_at", "started_at", "finished_at"
)  # fmt: skip


class TextTasksView(APIView):
    """`/v1/tasks`"""

    @extend_schema(
        operation_id="text_tasks_submit",
        summary="Submit a text for analysis",
        tags=["texts"],
        request={"application/json": body_schema(INPUT)},
        examples=[OpenApiExample("A text", value={"text": _TEXT}, request_only=True)],
        parameters=[IDEMPOTENCY_KEY],
        responses={
            200: TextTaskCreatedSerializer,
            202: TextTaskCreatedSerializer,
            **refusals(400, 413, 415, 422),
        },
    )
    def post(self, request: Request) -> Response:
        """Queue the analysis of a text."""
        task = submit_input(request, KIND, request.data)
        at = reverse("analysis:text-task", args=[task.id])
        return accepted({"task_id": task.id, "status": task.status}, at=at, task=task)


class TextTaskView(APIView):
    """`/v1/tasks/{task_id}`"""

    @extend_schema(
        operation_id="text_tasks_get",
        summary="Get the analysis of a text",
        tags=["texts"],
        responses={200: TextTaskSerializer, **refusals(404)},
    )
    def get(self, request: Request, task_id: uuid.UUID) -> Response:
        """Return the status, and the result or the error once there is one."""
        texts = Task.objects.visible_to(request.user).filter(kind=KIND).only("id", *_SHOWN)
        return Response(_document(get_object_or_404(texts, pk=task_id)))


def _document(task: Task) -> dict[str, Any]:
    result = task.result
    return {
        "task_id": task.id,
        "status": task.status,
        "retry_count": task.retry_count,
        "result": result and {name: result[name] for name in ("word_count", "top_words")},
        "error": task.failure_detail,
        "created_at": task.created_at,
        "started_at": task.started_at,
        "finished_at": task.finished_at,
    }
