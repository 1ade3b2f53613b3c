"""Problem documents (RFC 9457): the types of error that the API returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
from django.http import HttpResponse
from django.utils.encoding import escape_uri_path

from tasks.errors import FieldError

# Details quote values of the request, which may have megabytes.
_LONGEST_TEXT = 500


@dataclass(frozen=True)
class ProblemType:
    """A stable identifier that clients may compare, its status and its title."""

    uri: str
    status: int
    title: str


BAD_REQUEST = ProblemType("/problems/bad-request", 400, "The request is not valid")
MALFORMED_BODY = ProblemType("/problems/malformed-body", 400, "The body is not valid JSON")
INVALID_INPUT = ProblemType("/problems/invalid-input", 400, "Some values are not valid")
UNKNOWN_KIND = ProblemType("/problems/unknown-kind", 400, "The kind of task does not exist")
NOT_AUTHENTICATED = ProblemType("/problems/not-authenticated", 401, "A valid API key is needed")
WRONG_SIGNATURE = ProblemType(
    "/problems/wrong-signature", 401, "The signature does not match the body"
)
FORBIDDEN = ProblemType("/problems/forbidden", 403, "You do not have permission")
NOT_FOUND = ProblemType("/problems/not-found", 404, "Not found")
METHOD_NOT_ALLOWED = ProblemType("/problems/method-not-allowed", 405, "The method is not allowed")
NOT_ACCEPTABLE = ProblemType("/problems/not-acceptable", 406, "Responses are JSON only")
WRONG_STATUS = ProblemType("/problems/wrong-status", 409, "The task's status does not allow this")
UNIQUE_CONFLICT = ProblemType("/problems/unique-conflict", 409, "The unique task exists already")
BATCH_CLOSED = ProblemType("/problems/batch-closed", 409, "The batch takes no more tasks")
REQUEST_TIMEOUT = ProblemType("/problems/request-timeout", 408, "The request took too long")
KEY_REUSED = ProblemType(
    "/problems/idempotency-key-reused", 422, "The Idempotency-Key belongs to another request"
)
BODY_TOO_LARGE = ProblemType("/problems/body-too-large", 413, "The body is too large")
UNSUPPORTED_MEDIA_TYPE = ProblemType(
    "/problems/unsupported-media-type", 415, "The body must be uncompressed JSON"
)
THROTTLED = ProblemType("/problems/throttled", 429, "Too many requests")
INTERNAL_ERROR = ProblemType("/problems/internal-error", 500, "The server failed")
NOT_CONFIGURED = ProblemType("/problems/not-configured", 503, "A setting of the server is missing")
TOO_MANY_LARGE_BODIES = ProblemType(
    "/problems/too-many-large-bodies", 503, "The server holds too many large requests"
)
DATABASE_UNAVAILABLE = ProblemType(
    "/problems/database-unavailable", 503, "The database is not available"
)

_BY_STATUS = {
    problem_type.status: problem_type
    for problem_type in (
        BAD_REQUEST,
        NOT_AUTHENTICATED,
        FORBIDDEN,
        NOT_FOUND,
        METHOD_NOT_ALLOWED,
        NOT_ACCEPTABLE,
        REQUEST_TIMEOUT,
        BODY_TOO_LARGE,
        UNSUPPORTED_MEDIA_TYPE,
        THROTTLED,
        INTERNAL_ERROR,
        DATABASE_UNAVAILABLE,
    )
}


def type_of_status(status: int) -> ProblemType:
    """Return the type of an error that has only a status."""
    return _BY_STATUS.get(status) or ProblemType("about:blank", status, HTTPStatus(status).phrase)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One occurrence: its type, a detail, the invalid fields, and response headers."""

    type: ProblemType
    detail: str
    errors: tuple[FieldError, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self, *, instance: str) -> HttpResponse:
        """Return the response to the request for this path."""
        document: dict[str, Any] = {
            "type": self.type.uri,
            "title": self.type.title,
            "status": self.type.status,
            "detail": self.detail[:_LONGEST_TEXT],
            "instance": escape_uri_path(instance),
        }
        if self.errors:
            document["errors"] = [
                {"field": error.field[:_LONGEST_TEXT], "message": error.message[:_LONGEST_TEXT]}
                for error in self.errors
            ]
        return HttpResponse(
            orjson.dumps(document),
            status=self.type.status,
            content_type="application/problem+json",
            headers=self.headers,
        )
