"""`/conversations/webhooks/…`: signed events from the platforms themselves.

Their tasks have no owner. The answer comes as soon as the event is committed.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analysis.conversations.api import TAG
from analysis.webhooks.contract import Verification, WebhookPlatform
from analysis.webhooks.problems import NotConfigured, WrongSignature
from analysis.webhooks.shapes import ReceivedSerializer
from tasks import lifecycle
from tasks.errors import InvalidInput
from tasks.rest import RawParser, refusals

_RECEIVED: dict[Any, Any] = {200: ReceivedSerializer, **refusals(400, 413, 415)}
_PLAIN: dict[Any, Any] = {(200, "text/plain"): OpenApiTypes.STR}


class WebhookView(APIView):
    """The endpoint of one platform; it requires a signature instead of a key."""

    authentication_classes = []
    permission_classes = [AllowAny]
    parser_classes = [RawParser]
    platform: ClassVar[WebhookPlatform]

    def post(self, request: Request) -> HttpResponse:
        """Queue a signed event, or answer the platform's verification request."""
        platform = self.platform
        _require(platform.signing_setting)
        # The bytes as received, because they are what was signed. DRF has {} for an empty body.
        body: Any = request.data or b""
        if platform.handshake and (proof := platform.handshake(body)) is not None:
            return _plain(proof)
        event = platform.verify(body, request.headers)
        if event is None:
            raise WrongSignature
        input = {"payload": event.payload, "delivery": event.digest}
        try:
            task = lifecycle.submit(platform.kind, input)
        except InvalidInput as error:
            # The platform's body is the input's payload.
            raise error.moved("input.payload") from None
        return Response({"status": "received", "task_id": task.id})


class VerifiedWebhookView(WebhookView):
    """The endpoint of a platform that checks by a GET request whether the address is ours."""

    def get(self, request: Request) -> HttpResponse:
        """Return the challenge if the request contains the verify token."""
        verification = self.platform.verification
        assert verification
        _require(verification.setting)
        answer = verification.answer(request.query_params)
        if answer is None:
            raise PermissionDenied("The verify token is wrong.")
        return _plain(answer)


def webhook_view(platform: WebhookPlatform) -> type[WebhookView]:
    """Return the view of a platform, with its own description in the OpenAPI document."""
    base, documented = WebhookView, {"post": _event_schema(platform)}
    if platform.verification:
        base = VerifiedWebhookView
        documented["get"] = _verification_schema(platform.route, platform.verification)
    view: type[WebhookView] = type("PlatformView", (base,), {"platform": platform})
    return extend_schema_view(**documented)(view)


def _event_schema(platform: WebhookPlatform) -> Any:
    return extend_schema(
        operation_id=platform.route.replace("/", "_"),
        summary=platform.summary,
        description=f"Receive events signed with {platform.signing_setting}.",
        tags=[TAG],
        request={"application/json": platform.payload},
        parameters=[
            # A handshake has no signature.
            OpenApiParameter(name, str, "header", required=not platform.handshake)
            for name in platform.signature_headers
        ],
        responses={**_RECEIVED, **(_PLAIN if platform.handshake else {})},
    )


def _verification_schema(route: str, verification: Verification) -> Any:
    return extend_schema(
        operation_id=f"{route.replace('/', '_')}_verify",
        summary=verification.summary,
        description=f"Answer the challenge if the token is {verification.setting}.",
        tags=[TAG],
        parameters=[
            OpenApiParameter(name, dict(schema), required=True)
            for name, schema in verification.parameters.items()
        ],
        responses={**_PLAIN, **refusals()},
    )


def _require(setting: str) -> None:
    if not getattr(settings, setting):
        raise NotConfigured(setting)


def _plain(text: str) -> HttpResponse:
    return HttpResponse(text, content_type="text/plain; charset=utf-8")
