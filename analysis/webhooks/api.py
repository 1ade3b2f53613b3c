"""`/conversations/webhooks/…`: where the platforms themselves send their events, signed.

What they begin belongs to nobody's account. The answer comes as soon as the event is committed.
"""

from __future__ import annotations

import hmac
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analysis.conversations.api import REPLIES, TAG, answered
from analysis.conversations.shapes import ReceivedSerializer
from analysis.models import Platform
from analysis.webhooks import facebook, generic, google
from analysis.webhooks.platforms import PLATFORMS
from analysis.webhooks.problems import NotConfigured, WrongSignature
from tasks import lifecycle
from tasks.errors import FieldError, InvalidInput
from tasks.rest import IDEMPOTENCY_KEY, Body, refusals

_RESPONSES: dict[Any, Any] = {200: ReceivedSerializer, **refusals(400, 413, 415)}
_PLAIN: dict[Any, Any] = {(200, "text/plain"): OpenApiTypes.STR}


class PlatformView(APIView):
    """An address that asks for a signature instead of a key."""

    authentication_classes = []
    permission_classes = [AllowAny]

    def signed(self, request: Request, platform: Platform, *, setting: str) -> Any:
        """Return the body; raise NotConfigured or WrongSignature."""
        _require(setting)
        # The bytes as they came, before anything has parsed them.
        if not PLATFORMS[platform].is_signed(request._request.body, request.headers):
            raise WrongSignature
        return request.data

    def received(self, platform: Platform, payload: Any) -> Response:
        """Queue an event and say so."""
        try:
            task = lifecycle.submit(f"webhook.{platform}", {"payload": payload})
        except InvalidInput as error:
            raise _as_sent(error) from None
        return Response({"status": "received", "task_id": task.id})


class FacebookView(PlatformView):
    """`/conversations/webhooks/facebook`"""

    @extend_schema(
        operation_id="conversations_webhooks_facebook_verify",
        summary="Prove to Facebook that this webhook is yours",
        tags=[TAG],
        parameters=[
            OpenApiParameter("hub.mode", str, required=True, enum=["subscribe"]),
            OpenApiParameter("hub.verify_token", str, required=True),
            OpenApiParameter("hub.challenge", str, required=True),
        ],
        responses={**_PLAIN, **refusals()},
    )
    def get(self, request: Request) -> HttpResponse:
        """Answer the challenge to whoever knows FACEBOOK_VERIFY_TOKEN."""
        _require("FACEBOOK_VERIFY_TOKEN")
        asked = request.query_params
        known, given = settings.FACEBOOK_VERIFY_TOKEN, asked.get("hub.verify_token", "")
        fits = hmac.compare_digest(known.encode(), given.encode(errors="replace"))
        if asked.get("hub.mode") != "subscribe" or not fits:
            raise PermissionDenied("This is not the verify token.")
        return _plain(asked.get("hub.challenge", ""))

    @extend_schema(
        operation_id="conversations_webhooks_facebook",
        summary="Take in Messenger's events",
        tags=[TAG],
        request={"application/json": facebook.PAYLOAD},
        parameters=[OpenApiParameter("X-Hub-Signature-256", str, "header", required=True)],
        responses=_RESPONSES,
    )
    def post(self, request: Request) -> Response:
        """Take in events signed with FACEBOOK_APP_SECRET."""
        payload = self.signed(request, Platform.FACEBOOK, setting="FACEBOOK_APP_SECRET")
        return self.received(Platform.FACEBOOK, payload)


class GoogleView(PlatformView):
    """`/conversations/webhooks/google`"""

    @extend_schema(
        operation_id="conversations_webhooks_google",
        summary="Take in the events of RCS for Business",
        tags=[TAG],
        request={"application/json": google.PAYLOAD},
        parameters=[OpenApiParameter("X-Goog-Signature", str, "header")],
        responses={**_RESPONSES, **_PLAIN},
    )
    def post(self, request: Request) -> HttpResponse:
        """Take in events signed with GOOGLE_CLIENT_TOKEN, and prove to Google who we are."""
        _require("GOOGLE_CLIENT_TOKEN")
        # Read before it is parsed, so that both can be had.
        if request._request.body and (proof := google.handshake(request.data)) is not None:
            return _plain(proof)
        payload = self.signed(request, Platform.GOOGLE, setting="GOOGLE_CLIENT_TOKEN")
        return self.received(Platform.GOOGLE, payload)


class GenericView(PlatformView):
    """`/conversations/webhooks/generic`"""

    @extend_schema(
        operation_id="conversations_webhooks_generic",
        summary="Take in events by Standard Webhooks",
        tags=[TAG],
        request={"application/json": generic.PAYLOAD},
        parameters=[
            OpenApiParameter(name, str, "header", required=True) for name in generic.ID_HEADERS
        ],
        responses=_RESPONSES,
    )
    def post(self, request: Request) -> Response:
        """Take in an event signed with GENERIC_WEBHOOK_SECRET."""
        payload = self.signed(request, Platform.GENERIC, setting="GENERIC_WEBHOOK_SECRET")
        if isinstance(payload, dict):
            # By the standard, what is sent again has the same.
            payload = generic.named(payload, request.headers["webhook-id"])
        return self.received(Platform.GENERIC, payload)


def _require(setting: str) -> None:
    if not getattr(settings, setting):
        raise NotConfigured(setting)


def _plain(text: str) -> HttpResponse:
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


def _as_sent(error: InvalidInput) -> InvalidInput:
    """Name what is wrong as the platform knows it, to whom the payload is all."""
    at = "input.payload"
    return InvalidInput(
        [
            FieldError(one.field.removeprefix(at).removeprefix("."), one.message)
            for one in error.errors
        ]
    )


_INTERACTION = Body(
    {
        "type": "object",
        "properties": {
            "platform": {"enum": [str(platform) for platform in PLATFORMS]},
            "payload": {"type": "object", "description": "What the platform sent, as it is."},
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
        summary="Pass on what a platform sent",
        tags=[TAG],
        request={"application/json": _INTERACTION.schema},
        examples=[
            OpenApiExample("From Messenger", value=_FACEBOOK, request_only=True),
            OpenApiExample("From elsewhere", value=_GENERIC, request_only=True),
        ],
        parameters=[IDEMPOTENCY_KEY],
        responses=REPLIES,
    )
    def post(self, request: Request) -> Response:
        """Have the messages in a platform's event answered; an event that is known, once."""
        body = _INTERACTION.check(request.data)
        input = {"payload": body["payload"]}
        return answered(request, f"webhook.{body['platform']}", input, body, now_by_default=False)
