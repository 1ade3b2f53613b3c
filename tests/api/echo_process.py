"""The echo server, in a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import orjson
import psutil
import requests

from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
# Seconds that a request may take to arrive.
REQUEST_TIMEOUT = 2


class EchoServer:
    """A granian process that serves the echo routes on a free port."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def is_up(self) -> bool:
        assert self.process.poll() is None, "the server ended"
        try:
            return requests.post(f"{self.url}/echo", timeout=5).ok
        except requests.ConnectionError:
            return False

    def get(self, path: str, **headers: str) -> requests.Response:
        return requests.get(f"{self.url}{path}", headers=headers, timeout=30)

    def post(self, path: str, data: Any, **headers: str) -> requests.Response:
        return requests.post(f"{self.url}{path}", data, headers=headers, timeout=30)

    def open(self, request: bytes) -> socket.socket:
        """Return a connection on which these bytes have been sent."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        connection.sendall(request)
        return connection

    def send(self, request: bytes, *, close: bool = False) -> tuple[int, dict[str, Any]]:
        """Send raw bytes; return the response's status and document."""
        with self.open(request) as connection:
            if close:
                connection.shutdown(socket.SHUT_WR)
            return answer(connection)

    def memory(self) -> int:
        """Return the resident memory of the serving process, in bytes."""
        return int(self._serving().memory_info().rss)

    def peers(self) -> set[int]:
        """Return the ports of the clients that the serving process has an open connection to."""
        connections = self._serving().net_connections(kind="tcp")
        return {each.raddr.port for each in connections if each.status == "ESTABLISHED"}

    def unsent(self, port: int) -> int:
        """Return the bytes that the kernel holds for the client with this port."""
        ends = f"0100007F:{self.port:04X}", f"0100007F:{port:04X}"
        for line in Path("/proc/net/tcp").read_text().splitlines():
            _, here, there, _, queues, *_ = line.split()
            if (here, there) == ends:
                return int(queues.partition(":")[0], 16)
        return 0

    def _serving(self) -> psutil.Process:
        [serving] = psutil.Process(self.process.pid).children()
        return serving


def answer(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    """Return the status and the document of the response that comes on a connection."""
    response = b""
    while not response.endswith(b"}") and (part := connection.recv(65536)):
        response += part
    head, _, document = response.partition(b"\r\n\r\n")
    return int(head.split()[1]), orjson.loads(document)


@contextmanager
def running_echo_server() -> Iterator[EchoServer]:
    """Run the server with one process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "PORT": str(port),
        "API_ALLOW_ANONYMOUS": "true",
        "REQUEST_TIMEOUT": f"{REQUEST_TIMEOUT}s",
    }
    with TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.api.echo_server"],
            cwd=ROOT,
            env={**os.environ, **settings},
            stdout=log,
            stderr=log,
        )
        try:
            echo = EchoServer(process, port)
            wait_until(echo.is_up, what="the server answers")
            yield echo
        finally:
            process.terminate()
            process.wait(timeout=20)
