"""Health server: a process beside the workers that answers probes on WORKER_HEALTH_PORT.

A process of its own: the supervisor forks and must have no threads, and worker processes end one by
one. It answers for all workers of its machine, so that several commands may share the port.
"""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

import orjson
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connections

from tasks.stats.host_workers import host_workers

log = logging.getLogger(__name__)

# Seconds for which an answer serves everybody.
_FRESH_SECONDS = 1.0
# Seconds that a caller may pause while it sends its request.
_REQUEST_SECONDS = 5.0

Answer = tuple[HTTPStatus, bytes]


def serve() -> int:
    """Answer probes until this process is ended; return 1 if the port cannot be used."""
    try:
        server = HealthServer()
    except OSError as error:
        log.error(
            "the port for probes cannot be used; probes fail until it can be",
            extra={"port": settings.WORKER_HEALTH_PORT, "error": error.strerror},
        )
        return 1
    server.serve_forever()
    return 0


class HealthServer(ThreadingHTTPServer):
    """A server on the address HOST and the port WORKER_HEALTH_PORT, which others may share."""

    daemon_threads = True
    allow_reuse_port = True

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answer: Answer | None = None
        self._answered_at = 0.0
        where = (settings.HOST, settings.WORKER_HEALTH_PORT)
        address: Any
        self.address_family, *_, address = socket.getaddrinfo(*where, type=socket.SOCK_STREAM)[0]
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without looking up the name of the address, which may take long."""
        TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what ended a connection; callers that give up are nothing to look at."""
        is_callers = isinstance(sys.exc_info()[1], OSError)
        log.log(logging.DEBUG if is_callers else logging.ERROR, "probe failed", exc_info=True)

    def answer(self) -> Answer:
        """Return an answer that is at most a second old."""
        with self._lock:
            now = time.monotonic()
            if self._answer is None or now - self._answered_at > _FRESH_SECONDS:
                self._answer, self._answered_at = _answer(), now
            return self._answer


class _Handler(BaseHTTPRequestHandler):
    timeout = _REQUEST_SECONDS
    server: HealthServer

    def do_GET(self) -> None:
        status, content = self.server.answer() if self.path == "/" else _NOT_FOUND
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)


def _answer() -> Answer:
    try:
        workers = host_workers()
    except (DatabaseError, InterfaceError) as error:
        log.warning(
            "could not read the workers of this machine; the probe fails",
            extra={"error": type(error).__name__},
        )
        return _document(is_healthy=False, message="The database cannot be asked.", workers=None)
    finally:
        # This thread answers no other request.
        connections.close_all()
    counts = {"alive": workers.alive, "draining": workers.draining, "blocked": workers.blocked}
    return _document(is_healthy=workers.is_healthy, message=workers.message, workers=counts)


def _document(*, is_healthy: bool, message: str, workers: dict[str, int] | None) -> Answer:
    status = HTTPStatus.OK if is_healthy else HTTPStatus.SERVICE_UNAVAILABLE
    word = "healthy" if is_healthy else "unhealthy"
    return status, orjson.dumps({"status": word, "message": message, "workers": workers})


_NOT_FOUND = (HTTPStatus.NOT_FOUND, orjson.dumps({"message": "Only / is answered."}))
