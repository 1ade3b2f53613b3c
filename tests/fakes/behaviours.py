"""Behaviours of the stand-in for OpenRouter."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

LARGE = 50 * 1024 * 1024


@dataclass(frozen=True)
class Reply:
    """An answer; `length` is its Content-Length, None for no such header, -1 for the true one."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = -1


def completion(text: Any, **more: Any) -> dict[str, Any]:
    """Return a chat completion as OpenRouter sends it."""
    choice = {"index": 0, "finish_reason": "stop", **more}
    return {
        "id": "gen-fake",
        "object": "chat.completion",
        "model": "fake/model",
        "choices": [{**choice, "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 40, "completion_tokens": 2, "total_tokens": 42},
    }


def refused(reason: str) -> dict[str, Any]:
    """Return the completion of a model that declines to answer."""
    document = completion(None)
    document["choices"][0]["message"]["refusal"] = reason
    return document


def refusal(
    status: int, message: str, headers: dict[str, str] | None = None, **metadata: str
) -> Reply:
    """Return an error as OpenRouter sends it."""
    error = {"code": status, "message": message, **({"metadata": metadata} if metadata else {})}
    return Reply(status, json.dumps({"error": error}).encode(), headers or {})


def _ok(call: dict[str, Any]) -> Reply:
    words = str(call["messages"][-1]["content"]).split()
    text = f"In short, {len(words)} words: {' '.join(words[:12])}."
    return _json(completion(text))


def _json(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, json.dumps(document).encode(), headers or {})


_FIXED: dict[str, Callable[[], Reply]] = {
    # The messages repeat the prompt and the key, which must not be shown or logged.
    "400": lambda: refusal(400, "Bad request: secret prompt"),
    "401": lambda: refusal(401, "No cookie auth credentials found: sk-or-fake"),
    "402": lambda: refusal(402, "Insufficient credits"),
    # As OpenRouter's documentation has it.
    "402 in flight": lambda: refusal(
        402,
        "This request would exceed your available credits given your current in-flight requests.",
        {"Retry-After": "4"},
        reason="in_flight_budget_exhausted",
        limit_source="openrouter_in_flight_budget",
    ),
    "402 too expensive": lambda: refusal(
        402,
        "Insufficient credits",
        reason="weight_exceeds_budget",
        limit_source="openrouter_credits",
    ),
    "402 reset": lambda: refusal(402, "Insufficient credits", {"X-RateLimit-Reset": "99999999999"}),
    "403": lambda: refusal(403, "Your input was flagged: secret prompt"),
    "404": lambda: refusal(404, "No endpoints found for this model"),
    "408": lambda: refusal(408, "Timed out"),
    "413": lambda: refusal(413, "Too large"),
    "413 for now": lambda: refusal(413, "Too large", {"Retry-After": "4"}),
    "429": lambda: refusal(429, "Rate limit exceeded", {"Retry-After": "2"}),
    "429 reset": lambda: _json(
        {
            "error": {
                "code": 429,
                "message": "Rate limit exceeded: free-models-per-min.",
                "metadata": {"headers": {"X-RateLimit-Reset": str(int(time.time() + 30) * 1000)}},
            }
        },
        429,
    ),
    "500": lambda: refusal(500, "Internal Server Error"),
    "502": lambda: Reply(502, b"<html>Bad Gateway</html>"),
    "503": lambda: refusal(503, "No provider", {"Retry-After": "3"}),
    "200 error": lambda: _json({"error": {"code": 502, "message": "Upstream: secret prompt"}}),
    "200 error 429": lambda: _json({"error": {"code": 429, "message": "Upstream is busy"}}),
    "200 error 402": lambda: _json({"error": {"code": 402, "message": "Insufficient credits"}}),
    "200 error 402 in flight": lambda: _json(
        {"error": {"code": 402, "metadata": {"headers": {"Retry-After": 4}}}}
    ),
    "choice error 402 in flight": lambda: _json(
        completion("", finish_reason="error", error={"code": 402}), headers={"Retry-After": "4"}
    ),
    "200 error word": lambda: _json({"error": {"code": "server_error"}}),
    "choice error": lambda: _json(completion("", finish_reason="error", error={"code": 502})),
    "invalid json": lambda: Reply(200, b'{"choices": [{'),
    "no object": lambda: Reply(200, b"[]"),
    "deep": lambda: Reply(200, b"[" * 100_000),
    "not utf-8": lambda: Reply(200, b'{"choices": "\xff\xfe"}'),
    "no choices": lambda: _json({"choices": []}),
    "strange choices": lambda: _json({"choices": {"0": "text"}}),
    "empty": lambda: _json(completion(" \n")),
    "null": lambda: _json(completion(None)),
    "parts": lambda: _json(completion([{"type": "text", "text": "In "}, {"text": "parts."}])),
    "length": lambda: _json(completion("It goes on and", finish_reason="length")),
    "filtered": lambda: _json(completion("It goes on and", finish_reason="content_filter")),
    "filtered whole": lambda: _json(completion(None, finish_reason="content_filter")),
    "refusal": lambda: _json(refused("I cannot help with that.")),
    "tool calls": lambda: _json(completion("Let me look", finish_reason="tool_calls")),
    "tool calls alone": lambda: _json(completion(None, finish_reason="tool_calls")),
    "no reason": lambda: _json(completion("It goes on and", finish_reason=None)),
    "new reason": lambda: _json(completion("It goes on and", finish_reason="pause_turn")),
    "strange reason": lambda: _json(completion("It goes on and", finish_reason={"stop": 1})),
    # json.dumps escapes both, so they arrive as \u0000 and \ud800.
    "nul": lambda: _json(completion("Nothing\0 and half\ud800 a pair.")),
    "redirect": lambda: Reply(302, b"", {"Location": "http://127.0.0.1:1/"}),
    "large": lambda: Reply(200, b"x" * LARGE),
    "large endless": lambda: Reply(200, b"x" * LARGE, {"Connection": "close"}, None),
    "truncated": lambda: Reply(200, json.dumps(completion("Half of")).encode()[:-60], length=4096),
}


def perform(
    handler: BaseHTTPRequestHandler, do: str, call: dict[str, Any], closing: threading.Event
) -> None:
    """Answer a call with the behaviour of this name."""
    match do:
        case "ok":
            send(handler, _ok(call))
        case "hang":
            closing.wait()
        case "reset":
            _reset(handler.connection)
        case "reset mid-body":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{")
            _reset(handler.connection)
        case "drip":
            _drip(handler, b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b" ", closing)
        case "drip headers":
            _drip(handler, b"HTTP/1.1 200 OK\r\n", b"X", closing)
        case _:
            send(handler, _FIXED[do]())


def send(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    """Write a reply; close the connection if its Content-Length is wrong."""
    handler.send_response(reply.status)
    for name, value in reply.headers.items():
        handler.send_header(name, value)
    length = len(reply.body) if reply.length == -1 else reply.length
    if length is not None:
        handler.send_header("Content-Length", str(length))
    handler.close_connection = length != len(reply.body)
    handler.end_headers()
    handler.wfile.write(reply.body)


def _drip(
    handler: BaseHTTPRequestHandler, head: bytes, drop: bytes, closing: threading.Event
) -> None:
    handler.close_connection = True
    handler.wfile.write(head)
    while not closing.wait(0.05):
        handler.wfile.write(drop)


def _reset(connection: socket.socket) -> None:
    """Close a connection with a RST, as a process that is killed does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # Closing the socket object would leave the socket open: the handler's files use it.
    socket.close(connection.detach())
