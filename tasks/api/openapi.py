"""OpenAPI extensions: the security scheme of the API keys."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import build_bearer_security_scheme_object


class ApiKeyScheme(OpenApiAuthenticationExtension):
    """Describe the API keys as a bearer scheme."""

    target_class = "tasks.api.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> Any:
        """Return the scheme's OpenAPI object."""
        return build_bearer_security_scheme_object("Authorization", "Bearer")


class MetricsTokenScheme(ApiKeyScheme):
    """Describe METRICS_TOKEN, in place of which an API key is taken too."""

    target_class = "tasks.api.views.metrics.ScraperAuthentication"
    name = "metricsToken"
