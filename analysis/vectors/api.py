"""`/tasks`: the indexing of vectors."""

from __future__ import annotations

import uuid

from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analysis.celery_states import celery_state
from analysis.input_schema import body_schema
from analysis.submissions import submit_input
from analysis.vectors.handler import INPUT, MAX_VECTORS, VECTOR
from analysis.vectors.shapes import VectorTaskAcceptedSerializer, VectorTaskSerializer
from tasks.models import Task
from tasks.rest import IDEMPOTENCY_KEY, accepted, refusals

KIND = "vectors.index"
_DOCUMENTED = ("processed_vectors", "status", "metadata_processed")
# As the kind's schema has it, in words that generators of clients understand.
_VECTOR_DATA = {
    "description": INPUT["properties"]["vector_data"]["description"],
    "oneOf": [VECTOR, {"type": "array", "items": VECTOR, "minItems": 1, "maxItems": MAX_VECTORS}],
}
_BODY = {
    **body_schema(INPUT),
    "properties": {**INPUT["properties"], "vector_data": _VECTOR_DATA},
}
_EXAMPLE = {"vector_data": [0.1, 0.2, 0.3], "metadata": {"source": "user"}}


class VectorTasksView(APIView):
    """`/tasks`"""

    @extend_schema(
        operation_id="vector_tasks_submit",
        summary="Submit vectors to be indexed",
        tags=["vectors"],
        request={"application/json": _BODY},
        examples=[OpenApiExample("A vector", value=_EXAMPLE, request_only=True)],
        parameters=[IDEMPOTENCY_KEY],
        responses={
            200: VectorTaskAcceptedSerializer,
            202: VectorTaskAcceptedSerializer,
            **refusals(400, 413, 415, 422),
        },
    )
    def post(self, request: Request) -> Response:
        """Queue the indexing of one vector or a list of vectors."""
        task = submit_input(request, KIND, request.data)
        at = reverse("analysis:vector-task", args=[task.id])
        return accepted({"task_id": task.id, "status": "Processing"}, at=at, task=task)


class VectorTaskView(APIView):
    """`/tasks/{task_id}`"""

    @extend_schema(
        operation_id="vector_tasks_get",
        summary="Get the status of an indexing task",
        tags=["vectors"],
        responses={200: VectorTaskSerializer, **refusals(404)},
    )
    def get(self, request: Request, task_id: uuid.UUID) -> Response:
        """Return the status, and the result once there is one."""
        visible = Task.objects.visible_to(request.user).filter(kind=KIND)
        task = get_object_or_404(visible.only("id", "status", "attempt", "result"), pk=task_id)
        result = task.result and {name: task.result[name] for name in _DOCUMENTED}
        return Response({"task_id": task.id, "status": celery_state(task), "result": result})
