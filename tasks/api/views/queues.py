"""What the queues hold, and their switches."""

from __future__ import annotations

from collections.abc import Callable

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks import lifecycle, stats
from tasks.api.permissions import IsOperator
from tasks.api.problems.openapi import refusals
from tasks.api.shapes.queues import QueueSerializer, QueuesStatusSerializer
from tasks.submission import QUEUE_NAME


class QueuesStatusView(APIView):
    """`/api/v1/queues/status`"""

    @extend_schema(
        operation_id="queues_status",
        summary="See what waits and what was",
        tags=["queues"],
        responses={200: QueuesStatusSerializer, **refusals()},
    )
    def get(self, request: Request) -> Response:
        """Answer counts by lane, status and queue, over all owners, as of the timestamp."""
        found = stats.queues_status()
        return Response({**found.document(), "timestamp": found.now})


class PauseView(APIView):
    """`/api/v1/queues/{name}/pause`"""

    permission_classes = [IsOperator]

    @extend_schema(
        operation_id="queues_pause",
        summary="Pause a queue",
        tags=["queues"],
        request=None,
        responses={200: QueueSerializer, **refusals(400)},
    )
    def post(self, request: Request, name: str) -> Response:
        """Have nothing more claimed from a queue; what runs goes on."""
        return _switched(name, lifecycle.pause_queue, paused=True)


class ResumeView(APIView):
    """`/api/v1/queues/{name}/resume`"""

    permission_classes = [IsOperator]

    @extend_schema(
        operation_id="queues_resume",
        summary="Resume a queue",
        tags=["queues"],
        request=None,
        responses={200: QueueSerializer, **refusals(400)},
    )
    def post(self, request: Request, name: str) -> Response:
        """Have tasks claimed from a queue again."""
        return _switched(name, lifecycle.resume_queue, paused=False)


def _switched(name: str, switch: Callable[[str], None], *, paused: bool) -> Response:
    # A queue may be switched before its first task.
    if not QUEUE_NAME.fullmatch(name):
        raise ValidationError({"name": "This is no name for a queue."})
    switch(name)
    return Response({"name": name, "paused": paused})
