"""Queues: their status, pausing and resuming."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks import lifecycle, stats
from tasks.api.no_choice import require_no_choice
from tasks.api.permissions import IsOperator
from tasks.api.problems.openapi import refusals
from tasks.api.query_values import query_values
from tasks.api.shapes.queues import (
    PAUSE,
    QueueSerializer,
    QueuesStatusSerializer,
    queue_document,
)
from tasks.models import Queue
from tasks.submission import QUEUE_NAME, QUEUE_RULE

_NAME = OpenApiParameter(
    "name", {"type": "string", "pattern": f"^{QUEUE_NAME.pattern}$", "maxLength": 40}, "path"
)


class QueuesStatusView(APIView):
    """`/api/v1/queues/status`"""

    @extend_schema(
        operation_id="queues_status",
        summary="Get queue depths and task counts by status",
        tags=["queues"],
        responses={200: QueuesStatusSerializer, **refusals(400)},
    )
    def get(self, request: Request) -> Response:
        """Return the number of tasks by lane, status and queue, over all owners."""
        query_values(request.query_params)
        queues = stats.queues_status()
        return Response({**queues.document(), "timestamp": queues.now})


class PauseView(APIView):
    """`/api/v1/queues/{name}/pause`"""

    permission_classes = [IsOperator]

    @extend_schema(
        operation_id="queues_pause",
        summary="Pause a queue",
        tags=["queues"],
        parameters=[_NAME],
        request={"application/json": PAUSE.schema},
        responses={200: QueueSerializer, **refusals(400, 413, 415)},
    )
    def post(self, request: Request, name: str) -> Response:
        """Stop workers from claiming tasks of a queue; running tasks continue."""
        query_values(request.query_params)
        reason = PAUSE.check(request.data).get("reason", "")
        _check_name(name)
        lifecycle.pause_queue(name, by=request.user.get_username(), reason=reason)
        return _switched(name)


class ResumeView(APIView):
    """`/api/v1/queues/{name}/resume`"""

    permission_classes = [IsOperator]

    @extend_schema(
        operation_id="queues_resume",
        summary="Resume a queue",
        tags=["queues"],
        parameters=[_NAME],
        request=None,
        responses={200: QueueSerializer, **refusals(400)},
    )
    def post(self, request: Request, name: str) -> Response:
        """Let workers claim tasks of a queue again."""
        require_no_choice(request)
        _check_name(name)
        lifecycle.resume_queue(name)
        return _switched(name)


def _check_name(name: str) -> None:
    # A queue may be paused before its first task.
    if not QUEUE_NAME.fullmatch(name):
        raise ValidationError({"name": QUEUE_RULE})


def _switched(name: str) -> Response:
    return Response(queue_document(Queue.objects.get(pk=name)))
