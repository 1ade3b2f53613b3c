"""Servers for stand-ins: on loopback, in threads, as long as a `with` block."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from types import TracebackType
from typing import Any, Self


class LoopbackServer(ThreadingTCPServer):
    """A server that ends with its `with` block; `closing` is set first, to end slow answers."""

    daemon_threads = True
    allow_reuse_address = True
    # 500 clients may connect at once.
    request_queue_size = 1024

    def __init__(self, handler: type[BaseRequestHandler], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self.closing = threading.Event()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server_address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: tests let clients hang up."""


class FakeService(LoopbackServer):
    """A service with a behaviour for each call: the next one of `script`, or else `behaviour`.

    `calls` holds the calls; they are also appended to `file`, one JSON object per line.
    """

    def __init__(
        self,
        handler: type[BaseRequestHandler],
        port: int = 0,
        *,
        behaviour: str = "ok",
        file: Path | None = None,
    ) -> None:
        super().__init__(handler, port)
        self.behaviour = behaviour
        self.script: deque[str] = deque()
        self.calls: list[dict[str, Any]] = []
        self._file = file
        self._lock = threading.Lock()

    def environment(self) -> dict[str, str]:
        """Return the settings with which the project calls this service."""
        raise NotImplementedError

    def next_behaviour(self) -> str:
        """Return the behaviour for a call."""
        with self._lock:
            return self.script.popleft() if self.script else self.behaviour

    def note(self, **call: Any) -> None:
        """Record a call."""
        with self._lock:
            self.calls.append({"at": time.time(), **call})
            if self._file:
                with self._file.open("a") as log:
                    log.write(f"{json.dumps(self.calls[-1])}\n")


class FakeHandler(BaseHTTPRequestHandler):
    """Keeps connections open, and logs nothing."""

    protocol_version = "HTTP/1.1"
    # A reply in two packets would wait for the client's delayed acknowledgement.
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


def serve(service: FakeService, command: list[str] | None) -> int:
    """Serve until a signal, or while a Python command runs with the service's settings.

    Returns the command's exit code. Ctrl-C in a terminal reaches the command directly; SIGTERM is
    forwarded to it.
    """
    with service:
        print(*(f"{name}={value}" for name, value in service.environment().items()), sep="\n")
        print(f"# serving at http://127.0.0.1:{service.port}", flush=True)
        # Handlers, because a command inherits signals that are ignored.
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: None)
        if not command:
            signal.pause()
            return 0
        environment = {**os.environ, **service.environment()}
        child = subprocess.Popen([sys.executable, *command], env=environment)
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        return child.wait()
