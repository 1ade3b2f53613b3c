"""Request bodies: parsed as JSON under every content type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import APIException
from rest_framework.parsers import BaseParser

from tasks.strict_json import MalformedJSON, parse_json

MAX_BODY_BYTES = 10 * 1024 * 1024


class RefusedBody(APIException):
    """A request body that is refused, with its status: 400, 413 or 415."""

    def __init__(
        self, status: int, detail: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status_code = status
        self.headers = headers or {}


class StrictJSONParser(BaseParser):
    """Parse a JSON object or array within bounds; raise RefusedBody.

    An empty body is an empty object, so that the route's own checks name the missing fields.
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Read the whole stream; return its dict or list."""
        body = _read(stream, parser_context["request"].META if parser_context else {})
        try:
            value = parse_json(body) if body else {}
        except MalformedJSON as error:
            raise RefusedBody(400, str(error)) from None
        if not isinstance(value, (dict, list)):
            raise RefusedBody(400, "The body must be a JSON object or array.")
        return value


class MislabelledJSONParser(StrictJSONParser):
    """Parse JSON under any other content type: `curl -d` sends that of a form by default."""

    media_type = "*/*"


class RawParser(BaseParser):
    """Return the bytes of a body, for routes that check a signature of them."""

    media_type = "*/*"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Read the whole stream; raise RefusedBody."""
        return _read(stream, parser_context["request"].META if parser_context else {})


def _read(stream: IO[Any], headers: Mapping[str, Any]) -> bytes:
    """Return the body, which is in memory already; raise RefusedBody."""
    # A list of codings; their names are case-insensitive (RFC 9110, section 8.4.1).
    codings = headers.get("HTTP_CONTENT_ENCODING", "").lower().split(",")
    if any(coding.strip() not in ("", "identity") for coding in codings):
        accepted = {"Accept-Encoding": "identity"}
        raise RefusedBody(415, "The body must not be compressed.", headers=accepted)
    if int(headers.get("CONTENT_LENGTH") or 0) > MAX_BODY_BYTES:
        raise _too_large()
    body: bytes = stream.read()
    return body


def _too_large() -> RefusedBody:
    return RefusedBody(413, f"The body is larger than {MAX_BODY_BYTES:,} bytes.")
