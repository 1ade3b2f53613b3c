"""`/conversations/webhook-interaction`: a platform's event, forwarded by a caller with a key."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analysis.conversations.api import REPLIES, TAG, reply_response
from analysis.webhooks.platforms import PLATFORMS
from tasks.rest import IDEMPOTENCY_KEY, Body

_INTERACTION = Body(
    {
        "type": "object",
        "properties": {
            "platform": {"enum": list(PLATFORMS)},
            "payload": {"type": "object", "description": "The event as the platform sent it."},
            "async_processing": {"type": "boolean", "default": True},
        },
        "required": ["platform", "payload"],
        "additionalProperties": False,
    }
)
_FACEBOOK = {
    "platform": "facebook",
    "payload": {
        "object": "page",
        "entry": [
            {
                "id": "1029384756",
                "time": 1767225600000,
                "messaging": [
                    {
                        "sender": {"id": "5647382910"},
                        "recipient": {"id": "1029384756"},
                        "timestamp": 1767225600000,
                        "message": {"mid": "m_1", "text": "I need help with this product"},
                    }
                ],
            }
        ],
    },
}


_GENERIC = {
    "platform": "generic",
    "payload": {"id": "event-1", "conversation_id": "c-42", "message": "Where is my order?"},
}


class InteractionsView(APIView):
    """`/conversations/webhook-interaction`"""

    @extend_schema(
        operation_id="conversations_webhook_interaction",
        summary="Submit an event that a platform sent",
        tags=[TAG],
        request={"application/json": _INTERACTION.schema},
        examples=[
            OpenApiExample("From Facebook", value=_FACEBOOK, request_only=True),
            OpenApiExample("From elsewhere", value=_GENERIC, request_only=True),
        ],
        parameters=[IDEMPOTENCY_KEY],
        responses=REPLIES,
    )
    def post(self, request: Request) -> Response:
        """Answer the messages in a platform's event; a repeated event is ignored."""
        body = _INTERACTION.check(request.data)
        kind = PLATFORMS[body["platform"]].kind
        wait = not body.get("async_processing", True)
        return reply_response(request, kind, {"payload": body["payload"]}, wait=wait)
