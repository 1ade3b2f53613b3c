"""A stand-in for OpenRouter on loopback: a real HTTP server that answers, and fails, as told.

What it does with a call is told, first found first, by the query `?do=`, the header `X-Fake`, a
model named `fake/<behaviour>`, the next behaviour of `Fake.script`, or `Fake.behaviour`. By hand:

    python -m tests.fakes.openrouter --port 8099 --latency 1 --do ok
    python -m tests.fakes.openrouter --run manage.py up
    curl localhost:8099/fake -d '{"do": "503", "latency": 0.2}'
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes import behaviours
from tests.fakes.behaviours import Reply

KEY = "sk-or-fake"


class Fake(ThreadingHTTPServer):
    """The server; `calls` holds what came, also appended to `file`, one JSON object a line."""

    daemon_threads = True
    # 500 clients may come at once.
    request_queue_size = 1024

    def __init__(
        self, port: int = 0, *, do: str = "ok", latency: float = 0.0, file: Path | None = None
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.behaviour = do
        self.latency = latency
        self.file = file
        self.script: deque[str] = deque()
        self.calls: list[dict[str, Any]] = []
        # Replies that hang stop when this is set.
        self.closing = threading.Event()
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Return what OPENROUTER_BASE_URL has to be."""
        return f"http://127.0.0.1:{self.server_port}/api/v1"

    def environment(self) -> dict[str, str]:
        """Return the settings that make this the provider."""
        return {"OPENROUTER_BASE_URL": self.url, "OPENROUTER_API_KEY": KEY}

    def __enter__(self) -> Fake:
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

    def take(self, told: str | None) -> str:
        """Return what to do with a call."""
        with self._lock:
            return told or (self.script.popleft() if self.script else self.behaviour)

    def note(self, call: dict[str, Any]) -> None:
        """Remember a call."""
        with self._lock:
            self.calls.append(call)
            if self.file:
                with self.file.open("a") as log:
                    log.write(f"{json.dumps(call)}\n")

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that hang up are part of the play."""


class _Handler(BaseHTTPRequestHandler):
    server: Fake
    protocol_version = "HTTP/1.1"
    # A reply in two packets would wait for the client's delayed acknowledgement.
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answer a chat completion, or take orders."""
        path = urlsplit(self.path)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if path.path == "/fake":
            self.server.behaviour = str(body.get("do", self.server.behaviour))
            self.server.latency = float(body.get("latency", self.server.latency))
            behaviours.send(self, Reply(200, json.dumps({"do": self.server.behaviour}).encode()))
        elif path.path == "/api/v1/chat/completions":
            self._complete(body, parse_qs(path.query))
        else:
            behaviours.send(self, behaviours.refusal(404, "No such route."))

    def _complete(self, body: dict[str, Any], query: dict[str, list[str]]) -> None:
        model = str(body.get("model"))
        named = model.removeprefix("fake/") if model.startswith("fake/") else None
        do = self.server.take(query.get("do", [None])[0] or self.headers.get("X-Fake") or named)
        prompt = json.dumps(body.get("messages")).encode()
        authorised = self.headers.get("Authorization") == f"Bearer {KEY}"
        self.server.note(
            {
                "at": time.time(),
                "do": do,
                "model": model,
                "authorised": authorised,
                "prompt": hashlib.sha256(prompt).hexdigest(),
                "client": self.client_address[1],
            }
        )
        self.server.closing.wait(self.server.latency)
        behaviours.perform(self, do if authorised else "401", body, self.server.closing)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def main() -> int:
    """Serve until stopped, or as long as a command that is given this as its provider."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.openrouter")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--do", default="ok", help="what to do with calls, see behaviours.py")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--file", type=Path, help="where every call is appended")
    parser.add_argument("--run", nargs=argparse.REMAINDER, help="a command of Python's")
    given = parser.parse_args()
    with Fake(given.port, do=given.do, latency=given.latency, file=given.file) as fake:
        print(*(f"{name}={value}" for name, value in fake.environment().items()), flush=True)
        # A handler, for what is ignored here would be ignored by the command as well.
        signal.signal(signal.SIGINT, lambda *_: None)
        if given.run:
            return _run(given.run, fake)
        signal.pause()
    return 0


def _run(command: list[str], fake: Fake) -> int:
    """Run a command to its end, and return its exit code.

    A terminal's Ctrl-C reaches it by itself; what else would end us is passed on.
    """
    environment = {**os.environ, **fake.environment()}
    child = subprocess.Popen([sys.executable, *command], env=environment)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    return child.wait()


if __name__ == "__main__":
    sys.exit(main())
