"""Documentation: the OpenAPI document, Swagger UI and the types of problem."""

from __future__ import annotations

import threading
from functools import cache
from hashlib import sha256
from typing import Any, cast

from csp.constants import NONE, SELF
from csp.decorators import csp_replace
from django.http import Http404, HttpResponse
from django.utils.cache import get_conditional_response
from django.utils.decorators import method_decorator
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import (
    OpenApiJsonRenderer,
    OpenApiJsonRenderer2,
    OpenApiYamlRenderer,
    OpenApiYamlRenderer2,
)
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from tasks.api.problems import ProblemType, types
from tasks.api.query_values import query_values
from tasks.api.responses import OpenView

# Swagger UI sets inline styles; its scripts are served from this server.
_SWAGGER_CSP = {
    "default-src": [NONE],
    "script-src": [SELF],
    "style-src": [SELF, "'unsafe-inline'"],
    "img-src": [SELF, "data:"],
    "connect-src": [SELF],
    "base-uri": [NONE],
    "frame-ancestors": [NONE],
}


@method_decorator(csp_replace(_SWAGGER_CSP), name="dispatch")
class SwaggerView(SpectacularSwaggerSplitView):
    """`/docs`"""

    authentication_classes = ()
    url_name = "api:schema"


class SchemaView(OpenView):
    """`/api/schema/`"""

    renderer_classes = (
        OpenApiYamlRenderer,
        OpenApiYamlRenderer2,
        OpenApiJsonRenderer,
        OpenApiJsonRenderer2,
    )

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        """Return the document as YAML or JSON, as `?format=` or the Accept header asks for."""
        renderer: Any = request.accepted_renderer
        if format := query_values(request.query_params, names=("format",)).get("format"):
            if format not in _FORMATS:
                raise ValidationError({"format": f"Must be one of: {', '.join(_FORMATS)}."})
            renderer = _FORMATS[format]
        body, etag = _documents()[renderer.format]
        response = HttpResponse(body, content_type=f"{renderer.media_type}; charset=utf-8")
        response["Cache-Control"] = "public, no-cache"
        response["Content-Disposition"] = f'inline; filename="Tasks.{renderer.format}"'
        response["ETag"] = etag
        answer: Any = get_conditional_response(request._request, etag=etag, response=response)
        return cast(HttpResponse, answer)


class ProblemTypeView(OpenView):
    """`/problems/{slug}`, to which the types of problem documents point."""

    @extend_schema(exclude=True)
    def get(self, request: Request, slug: str) -> Response:
        """Explain one type of problem."""
        problem_type = _types().get(f"/problems/{slug}")
        if problem_type is None:
            raise Http404
        return Response(
            {
                "type": problem_type.uri,
                "title": problem_type.title,
                "status": problem_type.status,
            }
        )


_FORMATS = {"json": OpenApiJsonRenderer, "yaml": OpenApiYamlRenderer}
_lock = threading.Lock()


def _documents() -> dict[str, tuple[bytes, str]]:
    """Return each format's bytes and entity tag; the first call makes them."""
    # drf-spectacular loads its extensions at first use, and is not prepared for two first users.
    with _lock:
        return _made_documents()


@cache
def _made_documents() -> dict[str, tuple[bytes, str]]:
    document = SchemaGenerator().get_schema(public=True)
    renderers: dict[str, Any] = {name: renderer() for name, renderer in _FORMATS.items()}
    bodies: dict[str, bytes] = {
        name: renderer.render(document, None) for name, renderer in renderers.items()
    }
    return {name: (body, f'"{sha256(body).hexdigest()}"') for name, body in bodies.items()}


def _types() -> dict[str, ProblemType]:
    members: dict[str, Any] = vars(types)
    return {value.uri: value for value in members.values() if isinstance(value, ProblemType)}
