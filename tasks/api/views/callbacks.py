"""What receivers of callbacks need to know."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks.api.problems.openapi import refusals
from tasks.callbacks.signing import secrets_of


class CallbackSecretsSerializer(serializers.Serializer[Any]):
    """What the callbacks of one's own tasks are signed with."""

    secrets = serializers.ListField(
        child=serializers.CharField(),
        help_text="For any library of Standard Webhooks; one of them fits, the first for longest.",
    )


class CallbackSecretsView(APIView):
    """`/api/v1/callbacks/secrets`"""

    @extend_schema(
        operation_id="callbacks_secrets",
        summary="See what callbacks are signed with",
        tags=["callbacks"],
        responses={200: CallbackSecretsSerializer, **refusals()},
    )
    def get(self, request: Request) -> Response:
        """Answer the caller's own secrets, by which a receiver knows that a callback is ours."""
        secrets = secrets_of(request.user.pk if request.user.is_authenticated else None)
        return Response({"secrets": secrets}, headers={"Cache-Control": "no-store"})
