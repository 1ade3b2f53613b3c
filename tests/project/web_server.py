"""The web server's own command, on the database of the tests."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import requests
from django.conf import settings

from tests.project.conftest import ROOT
from tests.project.running import free_port
from tests.waiting import wait_until
from tests.workers import database_url


class Web:
    """A web server by itself."""

    def __init__(self, log: Path, port: int, process: subprocess.Popen[bytes]) -> None:
        self.log = log
        self.port = port
        self.process = process
        self.url = f"http://127.0.0.1:{port}"

    def output(self) -> str:
        return self.log.read_text()

    def lines(self) -> list[dict[str, Any]]:
        """Return its lines, each of which must be JSON."""
        return [json.loads(line) for line in self.output().splitlines()]

    def answered(self) -> list[dict[str, Any]]:
        """Return the lines of requests."""
        return [line for line in self.lines() if line["event"] == "request answered"]

    def is_up(self) -> bool:
        assert self.process.poll() is None, self.output()
        try:
            return requests.get(f"{self.url}/health/ready", timeout=10).ok
        except requests.ConnectionError:
            return False

    def kill_a_process(self) -> None:
        """Kill a process that serves, and wait until another serves in its place."""
        main = psutil.Process(self.process.pid)
        victim = main.children()[0]
        victim.kill()
        wait_until(lambda: victim not in main.children() and len(main.children()) == settings.CORES)
        wait_until(self.is_up)

    def send(self, request: bytes) -> bytes:
        """Send bytes and nothing more; return the answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))


@contextmanager
def running(log: Path, *command: str, **environment: str) -> Iterator[Web]:
    """Run a web server; its two outputs are one file."""
    port = free_port()
    own = {"DATABASE_URL": database_url(), "PORT": str(port), "LOG_LEVEL": "INFO", **environment}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *(command or ("-m", "taskproject.web"))],
            cwd=ROOT,
            env={**os.environ, **own},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield Web(log, port, process)
    finally:
        process.terminate()
        process.wait(30)
