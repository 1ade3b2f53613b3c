"""Callbacks: the secrets that sign them."""

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
    """The secrets that sign the callbacks of the caller's tasks."""

    secrets = serializers.ListField(
        child=serializers.CharField(),
        help_text="Secrets for a Standard Webhooks library, newest first. A callback is valid if"
        " its signature matches one of them.",
    )


class CallbackSecretsView(APIView):
    """`/api/v1/callbacks/secrets`"""

    @extend_schema(
        operation_id="callbacks_secrets",
        summary="Get the secrets that sign callbacks",
        tags=["callbacks"],
        responses={200: CallbackSecretsSerializer, **refusals()},
    )
    def get(self, request: Request) -> Response:
        """Return the caller's own secrets; receivers need them to verify callbacks."""
        secrets = secrets_of(request.user.pk if request.user.is_authenticated else None)
        return Response({"secrets": secrets}, headers={"Cache-Control": "no-store"})
