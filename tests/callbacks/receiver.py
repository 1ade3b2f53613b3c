"""A receiver of callbacks: a real server on loopback; the path selects its behaviour."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import parse_headers
from socketserver import StreamRequestHandler
from typing import Any

from tests.fakes.server import LoopbackServer


@dataclass(frozen=True)
class Received:
    """One received request."""

    path: str
    headers: dict[str, str]
    body: str

    @property
    def message(self) -> Any:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """Requests received, and answers: `/500` answers 500, `/` the next of `answers`."""

    port: int = 0
    scheme: str = "http"
    received: list[Received] = field(default_factory=list)
    # Status line and headers of each answer to `/`; the last one answers all that follow.
    answers: list[str] = field(default_factory=lambda: ["200 OK"])
    ended: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str = "/", *, host: str = "127.0.0.1") -> str:
        """Return the URL of a behaviour."""
        return f"{self.scheme}://{host}:{self.port}{path}"

    def next_answer(self) -> str:
        """Return the answer to the next request to `/`."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class _Handler(StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        with suppress(OSError):
            self._handle(self.server.receiver)

    def _handle(self, receiver: Receiver) -> None:
        line = self.rfile.readline().decode()
        if not line:
            return
        headers = {name.lower(): value for name, value in parse_headers(self.rfile).items()}
        body = self.rfile.read(int(headers.get("content-length", 0))).decode()
        path = line.split()[1]
        receiver.received.append(Received(path, headers, body))
        match path:
            case "/silent":
                receiver.ended.wait(60)
            case "/drip":
                self._drip(receiver)
            case "/reset":
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            case "/":
                self._answer(receiver.next_answer())
            case _:
                self._answer(f"{path[1:4]} Answer")

    def _answer(self, head: str) -> None:
        head = head.replace("\n", "\r\n")
        self.wfile.write(f"HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n".encode())

    def _drip(self, receiver: Receiver) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not receiver.ended.wait(0.05):
            self.wfile.write(b".")


class _Server(LoopbackServer):
    receiver: Receiver


@contextmanager
def receiver(wrap: Any = None) -> Iterator[Receiver]:
    """Run a receiver; `wrap` turns its listening socket into a TLS socket."""
    server = _Server(_Handler)
    scheme = "https" if wrap else "http"
    server.receiver = Receiver(port=server.port, scheme=scheme, ended=server.closing)
    if wrap:
        server.socket = wrap(server.socket)
    with server:
        yield server.receiver
