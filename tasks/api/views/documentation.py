"""Documentation: Swagger UI and the types of problem."""

from __future__ import annotations

from typing import Any

from csp.constants import NONE, SELF
from csp.decorators import csp_replace
from django.http import Http404
from django.utils.decorators import method_decorator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from tasks.api.problems import ProblemType, types
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


def _types() -> dict[str, ProblemType]:
    members: dict[str, Any] = vars(types)
    return {value.uri: value for value in members.values() if isinstance(value, ProblemType)}
