"""The two headers about a body that Django cannot take as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.core.exceptions import RequestDataTooBig

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class BodyHeaders:
    """Hand a WSGI application only Content-Length and Content-Type that Django understands.

    Bodies that come in chunks get a length, as Django would take them for empty. Nothing is read
    ahead; who reads more than `limit` bytes gets RequestDataTooBig. What is answered goes back
    in one piece, unless it is a stream.
    """

    def __init__(self, application: Application, *, limit: int) -> None:
        self._application = application
        self._limit = limit

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Serve one request."""
        # Without the flag the server would leave us waiting for the connection to end.
        if not environ.get("CONTENT_LENGTH") and environ.get("wsgi.input_terminated"):
            environ["CONTENT_LENGTH"] = str(self._limit)
            environ["wsgi.input"] = _BoundedInput(environ["wsgi.input"], self._limit)
        # An RFC 2231 parameter in an unknown encoding is an exception before any handler's reach.
        if "*" in environ.get("CONTENT_TYPE", ""):
            environ["CONTENT_TYPE"] = environ["CONTENT_TYPE"].partition(";")[0]
        response: Any = self._application(environ, start_response)
        if response.streaming:
            streamed: Iterable[bytes] = response
            return streamed
        # The server sends a list at once, and goes through anything else piece by piece.
        response.close()
        return [response.content]


class _BoundedInput:
    """A body read by Django, which asks for as many bytes as the length it was told."""

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
            raise RequestDataTooBig("The body is larger than this server reads.")
        return data
