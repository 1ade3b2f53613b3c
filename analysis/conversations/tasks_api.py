"""`/conversations/tasks/…`: the tasks of the three queues."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_200_OK, HTTP_202_ACCEPTED
from rest_framework.views import APIView

from analysis.celery_states import celery_state
from analysis.conversations.api import TAG
from analysis.conversations.reply_task import FIELDS, documented_result, reply_state, reply_task
from analysis.conversations.shapes import (
    ActiveTasksSerializer,
    CancelledTaskSerializer,
    ConversationQueuesStatusSerializer,
    ConversationTaskSerializer,
)
from tasks import lifecycle, stats
from tasks.kinds import all_kinds
from tasks.models import Status, Task
from tasks.rest import changeable_task, query_values, refusals

QUEUES = ("conversations", "webhooks", "analytics")
MOST_LISTED = 200


class StatusView(APIView):
    """`/conversations/tasks/{task_id}/status`"""

    @extend_schema(
        operation_id="conversations_tasks_status",
        summary="Get the status of a reply",
        tags=[TAG],
        responses={200: ConversationTaskSerializer, **refusals(404)},
    )
    def get(self, request: Request, task_id: uuid.UUID) -> Response:
        """Return the status, and any reply, of a message or of a platform's event."""
        visible = Task.objects.visible_to(request.user).filter(kind__in=_kinds())
        task = get_object_or_404(visible.only(*FIELDS), pk=task_id)
        reply = reply_task(task)
        done = reply.status == Status.COMPLETED
        return Response(
            {
                "task_id": task.id,
                "status": reply_state(task, reply),
                "progress": 100 if done else reply.progress,
                "result": documented_result(reply) if done else None,
            }
        )


class QueuesView(APIView):
    """`/conversations/tasks/queues/status`"""

    @extend_schema(
        operation_id="conversations_queues_status",
        summary="Count the tasks of the conversation queues",
        tags=[TAG],
        responses={200: ConversationQueuesStatusSerializer, **refusals(400)},
    )
    def get(self, request: Request) -> Response:
        """Return how many tasks of all owners are running and waiting."""
        query_values(request.query_params)
        status = stats.queues_status()
        loads = {name: status.by_queue[name] for name in QUEUES}
        queues = {
            name: {"active": load.processing, "pending": load.pending}
            for name, load in loads.items()
        }
        return Response({"queues": queues, "timestamp": status.now})


class ActiveView(APIView):
    """`/conversations/tasks/active`"""

    @extend_schema(
        operation_id="conversations_tasks_active",
        summary="List the running tasks",
        tags=[TAG],
        responses={200: ActiveTasksSerializer, **refusals(400)},
    )
    def get(self, request: Request) -> Response:
        """Return the running tasks of the conversation queues that the caller may see."""
        query_values(request.query_params)
        visible = Task.objects.visible_to(request.user)
        running = visible.filter(status=Status.PROCESSING, queue__in=QUEUES)
        listed = running.order_by("started_at", "id").defer("input", "result", "error")
        tasks = list(listed[:MOST_LISTED])
        total = len(tasks) if len(tasks) < MOST_LISTED else running.count()
        return Response(
            {
                "active_tasks": [_active(task) for task in tasks],
                "total": total,
                "timestamp": timezone.now(),
            }
        )


class CancelView(APIView):
    """`/conversations/tasks/{task_id}/cancel`"""

    @extend_schema(
        operation_id="conversations_tasks_cancel",
        summary="Cancel a conversation task",
        tags=[TAG],
        request=None,
        responses={
            200: CancelledTaskSerializer,
            202: CancelledTaskSerializer,
            **refusals(404, 409),
        },
    )
    def post(self, request: Request, task_id: uuid.UUID) -> Response:
        """Cancel a waiting task at once (200), or request a running one to stop (202)."""
        task = changeable_task(self, task_id)
        if task.kind not in _kinds():
            raise Http404
        task = lifecycle.cancel(task)
        ended = task.status == Status.CANCELLED
        document = {
            "task_id": task.id,
            "status": celery_state(task),
            "message": "Task cancelled" if ended else "Cancellation requested",
        }
        return Response(document, status=HTTP_200_OK if ended else HTTP_202_ACCEPTED)


def _kinds() -> list[str]:
    """Return the kinds that these routes are for."""
    return [kind.name for kind in all_kinds().values() if kind.queue in QUEUES]


def _active(task: Task) -> dict[str, Any]:
    return {
        "task_id": task.id,
        "kind": task.kind,
        "queue": task.queue,
        "status": celery_state(task),
        "progress": task.progress,
        "started_at": task.started_at,
    }
