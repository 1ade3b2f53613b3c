"""The API's own description."""

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

# Swagger UI styles its own elements; its scripts are files of ours.
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
    """`/problems/{slug}`, where the types of our problem documents lead."""

    @extend_schema(exclude=True)
    def get(self, request: Request, slug: str) -> Response:
        """Answer what a type of problem means."""
        found = _types().get(f"/problems/{slug}")
        if found is None:
            raise Http404
        return Response({"type": found.uri, "title": found.title, "status": found.status})


def _types() -> dict[str, ProblemType]:
    named: dict[str, Any] = vars(types)
    return {one.uri: one for one in named.values() if isinstance(one, ProblemType)}
