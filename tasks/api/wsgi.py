"""WSGI wrapper: corrects the headers of request bodies for Django."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.core.exceptions import RequestDataTooBig

# Characters of a Content-Type with its parameters; a multipart boundary has at most 70.
_LONGEST_CONTENT_TYPE = 256

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class BodyHeaders:
    """Pass on Content-Length and Content-Type only in forms that Django understands.

    Chunked bodies get a length, because Django would treat them as empty. Nothing is read ahead;
    reading more than `limit` bytes raises RequestDataTooBig. A response is sent in one piece,
    unless it is a stream.
    """

    def __init__(self, application: Application, *, limit: int) -> None:
        self._application = application
        self._limit = limit

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Serve one request."""
        # Without the flag, reading the body would block until the connection ends.
        if not environ.get("CONTENT_LENGTH") and environ.get("wsgi.input_terminated"):
            environ["CONTENT_LENGTH"] = str(self._limit)
            environ["wsgi.input"] = _BoundedInput(environ["wsgi.input"], self._limit)
        # An RFC 2231 parameter in an unknown encoding raises before any handler can catch it.
        # Parameters are parsed in quadratic time: 64 KB of them would take seconds.
        content_type = environ.get("CONTENT_TYPE", "")
        if "*" in content_type or len(content_type) > _LONGEST_CONTENT_TYPE:
            environ["CONTENT_TYPE"] = content_type.partition(";")[0]
        response: Any = self._application(environ, start_response)
        if response.streaming:
            stream: Iterable[bytes] = response
            return stream
        # The server sends a list at once, but iterates over anything else.
        response.close()
        return [response.content]


class _BoundedInput:
    """A body of unknown length, of which Django may read `limit` bytes."""

    def __init__(self, body: Any, limit: int) -> None:
        self._body = body
        self._left = limit

    def read(self, size: int) -> bytes:
        return self._counted(self._body.read(size))

    def readline(self, size: int) -> bytes:
        return self._counted(self._body.readline(size))

    def _counted(self, data: bytes) -> bytes:
        self._left -= len(data)
        if not self._left and self._body.read(1):
            raise RequestDataTooBig("The body is larger than this server accepts.")
        return data
