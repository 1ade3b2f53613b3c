"""`/conversations/message` and `/conversations/webhook-interaction`: replies, now or later.

A reply that is wanted at once is made by a task like any other, which the request waits for. So it
is made once, by the same handler, with its retries; a worker has it, not the web server; and where
it takes longer than CONVERSATION_SYNC_SECONDS, it still comes: the answer says where.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analysis.conversations import answering
from analysis.conversations.handler import CONVERSATION_ID, MESSAGE
from analysis.conversations.shapes import PENDING_ID, RECEIVED, ReplySerializer
from analysis.submit import submitted
from tasks.models import Status, Task
from tasks.rest import IDEMPOTENCY_KEY, Body, accepted, refusals

TAG = "Conversations"
REPLIES: dict[Any, Any] = {
    200: ReplySerializer,
    202: ReplySerializer,
    **refusals(400, 413, 415, 422),
}
_ENDS = {
    Status.COMPLETED: "completed",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled",
}
_MESSAGE = Body(
    {
        "type": "object",
        "properties": {
            "conversation_id": CONVERSATION_ID,
            "message": MESSAGE,
            "async_processing": {
                "type": "boolean",
                "default": False,
                "description": "true: answer at once, with a task; false: wait for the reply.",
            },
        },
        "required": ["message"],
        "additionalProperties": False,
    }
)
_EXAMPLE = {
    "conversation_id": "conv_123",
    "message": "I need help with this product",
    "async_processing": True,
}


class MessagesView(APIView):
    """`/conversations/message`"""

    @extend_schema(
        operation_id="conversations_message",
        summary="Say something in a conversation",
        tags=[TAG],
        request={"application/json": _MESSAGE.schema},
        examples=[OpenApiExample("A message", value=_EXAMPLE, request_only=True)],
        parameters=[IDEMPOTENCY_KEY],
        responses=REPLIES,
    )
    def post(self, request: Request) -> Response:
        """Have a message answered: 200 with the reply, 202 while it is being made."""
        body = _MESSAGE.check(request.data)
        # Our own word for an id that is not known yet names no conversation.
        name = None if body.get("conversation_id") == PENDING_ID else body.get("conversation_id")
        input = {"conversation_id": name, "message": body["message"]}
        return answered(request, "conversation.message", input, body, now_by_default=True)


def answered(
    request: Request,
    kind: str,
    input: dict[str, Any],
    body: dict[str, Any],
    *,
    now_by_default: bool,
) -> Response:
    task = submitted(request, kind, input)
    if not body.get("async_processing", not now_by_default):
        by = answering.wait(task.id, seconds=settings.CONVERSATION_SYNC_SECONDS)
        if by is not None:
            return Response(_reply(task, by))
    told = {
        "conversation_id": PENDING_ID,
        "response": RECEIVED,
        "status": "processing",
        "task_id": task.id,
    }
    return accepted(told, at=reverse("analysis:conversation-task", args=[task.id]), task=task)


def _reply(task: Task, by: Task) -> dict[str, Any]:
    result = by.result or {}
    said = result.get("ai_response", "")
    if by.status == Status.FAILED and by.error:
        said = by.error["detail"]
    return {
        "conversation_id": result.get("conversation_id"),
        "response": said,
        "status": _ENDS[Status(by.status)],
        "task_id": task.id,
    }
