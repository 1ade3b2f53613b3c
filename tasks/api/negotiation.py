"""Content negotiation: JSON only, under any content type."""

from __future__ import annotations

from collections.abc import Iterable

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

_JSON = "application/json"


class JSONNegotiation(DefaultContentNegotiation):
    """Choose JSON at once for the usual headers; leave all others to DRF's slower negotiation."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """Return the parser for the request's content type, or None if there is none."""
        first = next(iter(parsers), None)
        if first and first.media_type == _JSON == request.META.get("CONTENT_TYPE"):
            return first
        return super().select_parser(request, parsers)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the renderer for the Accept header, and its media type; raise NotAcceptable."""
        first = next(iter(renderers))
        accepted = request.META.get("HTTP_ACCEPT", "*/*")
        if first.media_type == _JSON and accepted in ("*/*", _JSON) and not format_suffix:
            return first, _JSON
        renderer: tuple[BaseRenderer, str]
        renderer = super().select_renderer(request, renderers, format_suffix)
        return renderer
