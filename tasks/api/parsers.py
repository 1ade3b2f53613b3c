"""The one way in for request bodies, whatever they are labelled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import IO, Any

from django.core.exceptions import RequestDataTooBig
from django.http import UnreadablePostError
from rest_framework.exceptions import APIException
from rest_framework.parsers import BaseParser

from tasks.api.strict_json import MalformedJSON, parse_json

MAX_BODY_BYTES = 10 * 1024 * 1024

_STARTS_LIKE_JSON = re.compile(rb"\s*[\[{]")


class RefusedBody(APIException):
    """A body that is not read, with the status that says why: 400, 413 or 415."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status_code = status


class StrictJSONParser(BaseParser):
    """Parse a JSON object or array within bounds; raise RefusedBody.

    An empty body is an empty object: what a route requires, its own fields say better.
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any] | list[Any]:
        """Read the whole stream and return its value."""
        body = _read(stream, parser_context["request"].META if parser_context else {})
        if not body:
            return {}
        self.check_label(media_type or "", body)
        try:
            value = parse_json(body)
        except MalformedJSON as error:
            raise RefusedBody(400, str(error)) from None
        if not isinstance(value, (dict, list)):
            raise RefusedBody(400, "The body must be a JSON object or array.")
        return value

    def check_label(self, media_type: str, body: bytes) -> None:
        """Refuse a body that its label makes unreadable; JSON's own label never does."""


class MislabelledJSONParser(StrictJSONParser):
    """Parse JSON under any other label: `curl -d` without a header calls it a form."""

    media_type = "*/*"

    def check_label(self, media_type: str, body: bytes) -> None:
        """Refuse what neither says nor seems to be JSON."""
        if media_type and not _STARTS_LIKE_JSON.match(body):
            raise RefusedBody(415, f"The body must be JSON; this one is {media_type}.")


def _read(stream: IO[Any], headers: Mapping[str, Any]) -> bytes:
    """Return the body, having read at most one byte more than is allowed."""
    if headers.get("HTTP_CONTENT_ENCODING", "identity") != "identity":
        raise RefusedBody(415, "The body must not be compressed.")
    too_large = RefusedBody(413, f"The body is larger than {MAX_BODY_BYTES:,} bytes.")
    if int(headers.get("CONTENT_LENGTH") or 0) > MAX_BODY_BYTES:
        raise too_large
    try:
        body: bytes = stream.read(MAX_BODY_BYTES + 1)
    except RequestDataTooBig:
        raise too_large from None
    except UnreadablePostError:
        raise RefusedBody(400, "The body ended before it was complete.") from None
    if len(body) > MAX_BODY_BYTES:
        raise too_large
    return body
