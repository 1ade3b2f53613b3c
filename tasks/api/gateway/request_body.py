"""Request bodies: read whole, within one limit of size and one of time, before a thread is used."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tasks.api.gateway.refusal import Refused
from tasks.api.parsers import MAX_BODY_BYTES
from tasks.api.problems import (
    BODY_TOO_LARGE,
    MALFORMED_BODY,
    REQUEST_TIMEOUT,
    TOO_MANY_LARGE_BODIES,
)

# Bytes of all large bodies in one process: connections that stall hold no more memory than this.
LARGE_BODIES_BYTES = 128 * 1024 * 1024
# A body up to this size does not count.
SMALL_BYTES = 64 * 1024

Receive = Callable[[], Awaitable[dict[str, Any]]]


class RequestBodies:
    """The bodies that one process holds in memory."""

    def __init__(self, *, timeout: float) -> None:
        self._timeout = timeout
        self._large_bytes = 0

    async def read(self, headers: list[tuple[bytes, bytes]], receive: Receive) -> RequestBody:
        """Return the whole body; raise Refused. Close it when the request is done."""
        length = _announced_length(headers)
        body = RequestBody(self)
        if length == 0:
            return body
        try:
            async with asyncio.timeout(self._timeout):
                await body.fill(receive, length)
        except TimeoutError:
            body.close()
            detail = f"The body did not arrive within {self._timeout:g} seconds."
            raise Refused(REQUEST_TIMEOUT, detail) from None
        except BaseException:
            body.close()
            raise
        return body

    def count(self, large_bytes: int) -> None:
        """Count bytes of large bodies; raise Refused when there are too many."""
        self._large_bytes += large_bytes
        if large_bytes > 0 and self._large_bytes > LARGE_BODIES_BYTES:
            raise Refused(
                TOO_MANY_LARGE_BODIES,
                "The server holds too many large requests. Try again shortly.",
                headers={"Retry-After": "1"},
            )


class RequestBody:
    """The body of one request; to be closed."""

    def __init__(self, bodies: RequestBodies) -> None:
        self._bodies = bodies
        self._counted = 0
        self.content = b""

    async def fill(self, receive: Receive, length: int | None) -> None:
        """Read up to the announced length, or to the end; raise Refused."""
        pieces: list[bytes] = []
        size = 0
        while size != length:
            message = await receive()
            if message["type"] != "http.request":
                raise Refused(MALFORMED_BODY, "The body ended before it was complete.")
            piece = message.get("body", b"")
            size += len(piece)
            self._count(size)
            pieces.append(piece)
            if not message.get("more_body", False):
                break
        self.content = pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Count the body no longer."""
        self.content = b""
        counted, self._counted = self._counted, 0
        self._bodies.count(-counted)

    def _count(self, size: int) -> None:
        if size > MAX_BODY_BYTES:
            raise too_large()
        if size > SMALL_BYTES:
            added, self._counted = size - self._counted, size
            self._bodies.count(added)


def too_large() -> Refused:
    """Return the refusal of a body over the limit."""
    return Refused(BODY_TOO_LARGE, f"The body is larger than {MAX_BODY_BYTES:,} bytes.")


def _announced_length(headers: list[tuple[bytes, bytes]]) -> int | None:
    """Return the length of the body, None if it is chunked; raise Refused if it is too large."""
    length: int | None = 0
    for name, value in headers:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length":
            length = int(value)
    if length and length > MAX_BODY_BYTES:
        raise too_large()
    return length
