"""Gateway: reads each request whole, lets Django answer it in a thread, and sends the answer.

The pace of a client decides only over its own connection: no thread waits for bytes of a request,
nor until an answer of known length is read. The kernel ends connections whose answer is not read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings

from tasks.api.gateway.environ import wsgi_environ
from tasks.api.gateway.listeners import limit_unread_answers
from tasks.api.gateway.refusal import Refused
from tasks.api.gateway.request_body import Receive, RequestBodies
from tasks.api.gateway.threads import Threads
from tasks.api.problems import BODY_TOO_LARGE, TOO_MANY_LARGE_BODIES, Problem
from tasks.api.request_log import Call, log_answer
from tasks.api.shapes.health import ALIVE
from tasks.correlation import Cause, running

# Answered here: whatever the threads do, the process responds.
_LIVE_PATHS = {"/health/live", "/health/live/"}
_LIVE_HEADERS = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Site = Callable[[dict[str, Any], Any], Any]
Headers = list[tuple[bytes, bytes]]
# Status, headers, and content or the file that has it.
Answer = tuple[int, Headers, bytes | Path]


class Gateway:
    """An ASGI application (version 3.0) in front of a WSGI application of Django."""

    def __init__(self, site: Site, *, threads: int, timeout: float) -> None:
        self._site = site
        self._timeout = timeout
        self._bodies = RequestBodies(timeout=timeout)
        self._is_first = True
        self._threads = Threads[Answer | None](limit=threads)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        if self._is_first:
            self._is_first = False
            limit_unread_answers(seconds=self._timeout)
        began = time.monotonic()
        if scope["path"] in _LIVE_PATHS and scope["method"] in ("GET", "HEAD"):
            answer: Answer = 200, _LIVE_HEADERS, orjson.dumps(ALIVE)
            await _send_own(scope, send, answer, route=scope["path"][1:], began=began)
            return
        try:
            body = await self._bodies.read(scope["headers"], receive)
        except Refused as refused:
            await _refuse(refused, scope, send, began=began)
            if refused.type in (BODY_TOO_LARGE, TOO_MANY_LARGE_BODIES):
                await self._discard_rest(receive)
            return
        try:
            await self._answer(wsgi_environ(scope, body.content), send)
        except Refused as refused:
            await _refuse(refused, scope, send, began=began)
        finally:
            body.close()

    async def _answer(self, environ: dict[str, Any], send: Send) -> None:
        loop = asyncio.get_running_loop()

        def send_piece(message: dict[str, Any]) -> None:
            """Send a piece of a stream from its thread, no faster than the client takes it."""
            asyncio.run_coroutine_threadsafe(_sent(send, message), loop).result(self._timeout)

        answer = await self._threads.run(partial(_respond, self._site, environ, send_piece))
        if answer is not None:
            await _send(send, *answer)

    async def _discard_rest(self, receive: Receive) -> None:
        """Read what the client still sends: it would lose the answer if that were cut off."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timeout):
                while (await receive()).get("more_body", False):
                    pass


async def _refuse(refused: Refused, scope: dict[str, Any], send: Send, *, began: float) -> None:
    headers = {**refused.headers, "Connection": "close", "Cache-Control": "no-store"}
    problem = Problem(type=refused.type, detail=refused.detail, headers=headers)
    response = problem.response(instance=scope["path"])
    answer = response.status_code, _headers(response.items()), response.content
    await _send_own(scope, send, answer, route=None, began=began)


async def _send_own(
    scope: dict[str, Any], send: Send, answer: Answer, *, route: str | None, began: float
) -> None:
    """Send an answer that is not Django's: with a request id, and a line in the log, as those."""
    status, headers, content = answer
    cause = Cause.of_headers(
        _value(scope["headers"], b"x-request-id"), _value(scope["headers"], b"traceparent")
    )
    if settings.ACCESS_LOG:
        seconds = time.monotonic() - began
        with running(Call(cause)):
            log_answer(scope["method"], scope["path"], route, status, seconds)
    await _send(send, status, [*headers, (b"x-request-id", cause.request_id.encode())], content)


def _value(headers: Headers, name: bytes) -> str:
    """Return a header as Django has it: the values of one that occurs twice are joined."""
    return ",".join(value.decode("latin-1") for key, value in headers if key == name)


async def _send(send: Send, status: int, headers: Headers, content: bytes | Path) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if isinstance(content, Path):
        # The server reads it, at the pace of the client.
        await send({"type": "http.response.pathsend", "path": str(content)})
    else:
        await send({"type": "http.response.body", "body": content})


async def _sent(send: Send, message: dict[str, Any]) -> None:
    """Send a message; a coroutine, which the server's own awaitable is not."""
    await send(message)


def _respond(
    site: Site, environ: dict[str, Any], send_piece: Callable[[dict[str, Any]], None]
) -> Answer | None:
    """Return status, headers and content; send a stream of unknown length here, and return None."""
    response: Any = site(environ, lambda *_: None)
    try:
        headers = _headers(response.items())
        headers += [
            (b"set-cookie", cookie.OutputString().encode("latin-1"))
            for cookie in response.cookies.values()
        ]
        if not response.streaming:
            return response.status_code, headers, response.content
        if file := _path_of_file(response):
            return response.status_code, headers, file
        send_piece(
            {"type": "http.response.start", "status": response.status_code, "headers": headers}
        )
        for piece in response:
            send_piece({"type": "http.response.body", "body": piece, "more_body": True})
        send_piece({"type": "http.response.body", "body": b""})
        return None
    finally:
        # In this thread: it closes the database connections that are too old.
        response.close()


def _path_of_file(response: Any) -> Path | None:
    """Return the path of the file that is the whole content of a response."""
    name = getattr(getattr(response, "file_to_stream", None), "name", None)
    return Path(name) if name and response.status_code == 200 else None


def _headers(items: Iterable[tuple[str, str]]) -> Headers:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in items]
