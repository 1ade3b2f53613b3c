"""Metrics for Prometheus."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.crypto import constant_time_compare
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.authentication import get_authorization_header
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks.access import may_see_all, needs_no_key
from tasks.api.authentication import ApiKeyAuthentication
from tasks.api.problems.openapi import refusals
from tasks.api.query_values import query_values
from tasks.metrics.exposition import metrics


class ScraperAuthentication(ApiKeyAuthentication):
    """`Authorization: Bearer` with METRICS_TOKEN, or with the API key of a user."""

    def authenticate(self, request: Request) -> Any:
        """Return no user for the token; raise AuthenticationFailed for what is neither."""
        expected = f"bearer {settings.METRICS_TOKEN}".encode()
        header = get_authorization_header(request)
        given = header[:7].lower() + header[7:]
        if settings.METRICS_TOKEN and constant_time_compare(given, expected):
            return (None, settings.METRICS_TOKEN)
        return super().authenticate(request)


class MayScrape(BasePermission):
    """Admit the token, users who see every task, and every caller where no key is needed."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the caller may read the metrics."""
        has_token = bool(settings.METRICS_TOKEN) and request.auth == settings.METRICS_TOKEN
        return has_token or needs_no_key(request.META) or may_see_all(request.user)


class _TextRenderer(BaseRenderer):
    media_type = "text/plain"
    format = "txt"
    charset = None

    def render(self, data: Any, *args: Any) -> bytes:
        """Return the text, which is made in the format that the caller accepts."""
        return bytes(data)


class _OpenMetricsRenderer(_TextRenderer):
    media_type = "application/openmetrics-text"


class MetricsView(APIView):
    """`/metrics`"""

    renderer_classes = (_TextRenderer, _OpenMetricsRenderer)
    authentication_classes = (ScraperAuthentication,)
    permission_classes = (MayScrape,)

    @extend_schema(
        operation_id="metrics",
        summary="Read the metrics for Prometheus",
        tags=["health"],
        responses={
            (200, "text/plain"): OpenApiTypes.STR,
            (200, "application/openmetrics-text"): OpenApiTypes.STR,
            **refusals(400),
        },
    )
    def get(self, request: Request) -> Response:
        """Return the metrics of all processes, as text or as OpenMetrics by `Accept`."""
        query_values(request.query_params)
        content, content_type = metrics(request.META.get("HTTP_ACCEPT", ""))
        return Response(content, content_type=content_type)
