"""Request bodies that come without a Content-Length."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.core.exceptions import RequestDataTooBig

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class ChunkedBodies:
    """Give Django the bodies of unknown length, which it would take for empty.

    Nothing is read ahead. A reader that meets more than `limit` bytes gets RequestDataTooBig.
    """

    def __init__(self, application: Application, *, limit: int) -> None:
        self._application = application
        self._limit = limit

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Serve one request."""
        # Without the flag the server would leave us waiting for the end of the connection.
        if not environ.get("CONTENT_LENGTH") and environ.get("wsgi.input_terminated"):
            environ["CONTENT_LENGTH"] = str(self._limit)
            environ["wsgi.input"] = _Bounded(environ["wsgi.input"], self._limit)
        return self._application(environ, start_response)


class _Bounded:
    """The readers Django calls, always with a size and never beyond the limit it was told."""

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
