"""`/conversations/message`, and the answer with a reply that other routes use as well.

A synchronous reply is made by a task like any other, and the request waits for its end: a worker
makes it, once, with retries. If it takes longer than CONVERSATION_SYNC_SECONDS, the answer is 202
with the task, and the reply comes later.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analysis.conversations.handler import CONVERSATION_ID, MESSAGE
from analysis.conversations.reply_task import wait_for_reply
from analysis.conversations.shapes import PENDING_ID, RECEIVED, ReplySerializer
from analysis.submissions import submit_input
from tasks.models import Status, Task
from tasks.rest import IDEMPOTENCY_KEY, REPLAYED, Body, accepted, refusals

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
                "description": "true: return a task at once; false: wait for the reply.",
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
        summary="Send a message to a conversation",
        tags=[TAG],
        request={"application/json": _MESSAGE.schema},
        examples=[OpenApiExample("A message", value=_EXAMPLE, request_only=True)],
        parameters=[IDEMPOTENCY_KEY],
        responses=REPLIES,
    )
    def post(self, request: Request) -> Response:
        """Answer a message: 200 with the reply, 202 while it is being made."""
        body = _MESSAGE.check(request.data)
        # The placeholder of our own 202 is not the name of a conversation.
        name = None if body.get("conversation_id") == PENDING_ID else body.get("conversation_id")
        input = {"conversation_id": name, "message": body["message"]}
        wait = not body.get("async_processing", False)
        return reply_response(request, "conversation.message", input, wait=wait)


def reply_response(request: Request, kind: str, input: dict[str, Any], *, wait: bool) -> Response:
    """Submit a message; return its reply, or the task that makes it."""
    task = submit_input(request, kind, input)
    if wait:
        reply = wait_for_reply(task.id, seconds=settings.CONVERSATION_SYNC_SECONDS)
        if reply is not None:
            headers = REPLAYED if task.replayed else {}
            return Response(_reply_document(task, reply), headers=headers)
    document = {
        "conversation_id": PENDING_ID,
        "response": RECEIVED,
        "status": "processing",
        "task_id": task.id,
    }
    return accepted(document, at=reverse("analysis:conversation-task", args=[task.id]), task=task)


def _reply_document(task: Task, reply: Task) -> dict[str, Any]:
    result = reply.result or {}
    response = result.get("ai_response", "")
    if reply.status == Status.FAILED and reply.error:
        response = reply.error["detail"]
    return {
        "conversation_id": result.get("conversation_id"),
        "response": response,
        "status": _ENDS[Status(reply.status)],
        "task_id": task.id,
    }
