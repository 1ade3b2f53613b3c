"""OPTIONS requests: the answer is the `Allow` header, which every response of DRF has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.metadata import BaseMetadata
from rest_framework.request import Request

from tasks.api.renderers import OrjsonRenderer

if TYPE_CHECKING:
    # DRF imports this class while it defines that one.
    from rest_framework.views import APIView


class NoMetadata(BaseMetadata):
    """Answer OPTIONS with 200 and no body; the OpenAPI document describes the routes."""

    def determine_metadata(self, request: Request, view: APIView) -> None:
        """Return nothing, rendered as such by the routes of the documentation too."""
        request.accepted_renderer = OrjsonRenderer()
