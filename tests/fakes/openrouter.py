"""Stand-in for OpenRouter: a real HTTP server on loopback that answers and fails on request.

The behaviour for a call is the first of: the query `?do=`, the header `X-Fake`, a model named
`fake/<behaviour>`, the next behaviour of `Fake.script`, `Fake.behaviour`. By hand:

    python -m tests.fakes.openrouter --port 8099 --latency 1 --do ok
    python -m tests.fakes.openrouter --run manage.py up
    curl localhost:8099/fake -d '{"do": "503", "latency": 0.2}'
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes import behaviours
from tests.fakes.behaviours import Reply
from tests.fakes.server import FakeHandler, FakeService, serve

KEY = "sk-or-fake"


class Fake(FakeService):
    """The provider; each answer waits for `latency` seconds."""

    def __init__(
        self, port: int = 0, *, do: str = "ok", latency: float = 0.0, file: Path | None = None
    ) -> None:
        super().__init__(_Handler, port, behaviour=do, file=file)
        self.latency = latency

    @property
    def url(self) -> str:
        """Return the value for OPENROUTER_BASE_URL."""
        return f"http://127.0.0.1:{self.port}/api/v1"

    def environment(self) -> dict[str, str]:
        """Return the settings with which the project calls this provider."""
        return {"OPENROUTER_BASE_URL": self.url, "OPENROUTER_API_KEY": KEY}


class _Handler(FakeHandler):
    server: Fake

    def do_POST(self) -> None:
        """Answer a chat completion, or change the behaviour."""
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
        do = query.get("do", [None])[0] or self.headers.get("X-Fake") or named
        do = do or self.server.next_behaviour()
        prompt = json.dumps(body.get("messages")).encode()
        authorised = self.headers.get("Authorization") == f"Bearer {KEY}"
        self.server.note(
            do=do,
            model=model,
            authorised=authorised,
            prompt=hashlib.sha256(prompt).hexdigest(),
            client=self.client_address[1],
        )
        self.server.closing.wait(self.server.latency)
        behaviours.perform(self, do if authorised else "401", body, self.server.closing)


def main() -> int:
    """Serve until a signal, or while a command runs with this as its provider."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.openrouter")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--do", default="ok", help="what to do with calls, see behaviours.py")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--file", type=Path, help="a file to which every call is appended")
    parser.add_argument("--run", nargs=argparse.REMAINDER, help="arguments of a Python command")
    options = parser.parse_args()
    fake = Fake(options.port, do=options.do, latency=options.latency, file=options.file)
    return serve(fake, options.run)


if __name__ == "__main__":
    sys.exit(main())
