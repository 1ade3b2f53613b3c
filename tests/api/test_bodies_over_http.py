"""Request bodies sent to a real server: chunked, cut off, endless, with false headers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import orjson
import psutil
import pytest
import requests

from tasks.api.parsers import MAX_BODY_BYTES
from tests.waiting import wait_until

MEBIBYTE = 1024 * 1024
ROOT = Path(__file__).resolve().parent.parent.parent


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

    def post(self, path: str, data: Any, **headers: str) -> requests.Response:
        return requests.post(f"{self.url}{path}", data, headers=headers, timeout=30)

    def send(self, request: bytes, *, close: bool = False) -> tuple[int, dict[str, Any]]:
        """Send raw bytes; return the response's status and document."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(request)
            if close:
                connection.shutdown(socket.SHUT_WR)
            response = b""
            while not response.endswith(b"}") and (part := connection.recv(65536)):
                response += part
        head, _, document = response.partition(b"\r\n\r\n")
        return int(head.split()[1]), orjson.loads(document)

    def memory(self) -> int:
        """Return the resident memory of the serving process, in bytes."""
        [worker] = psutil.Process(self.process.pid).children()
        return int(worker.memory_info().rss)


@pytest.fixture(scope="module")
def server() -> Iterator[EchoServer]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(port)]
    with TemporaryFile() as log:
        process = subprocess.Popen(
            [*command, "tests.api.echo_server:application"],
            cwd=ROOT,
            env={**os.environ, "API_ALLOW_ANONYMOUS": "true"},
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


def chunks(size: int) -> Iterator[bytes]:
    yield b'{"text":"'
    for start in range(0, size, 65536):
        yield b"a" * min(65536, size - start)
    yield b'"}'


def test_a_chunked_body_is_read(server: EchoServer) -> None:
    assert server.post("/length", chunks(MEBIBYTE)).json() == MEBIBYTE


def test_a_chunked_body_has_the_same_size_limit_as_any_other(server: EchoServer) -> None:
    greatest = MAX_BODY_BYTES - len('{"text":""}')
    assert server.post("/length", chunks(greatest)).json() == greatest
    response = server.post("/length", chunks(greatest + 1))
    assert (response.status_code, response.json()["type"]) == (413, "/problems/body-too-large")


def test_an_endless_body_is_refused_without_being_kept_in_memory(server: EchoServer) -> None:
    server.post("/length", chunks(2 * MAX_BODY_BYTES))
    before = server.memory()
    head = b"POST /length HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
    status, document = server.send(head + chunk * (MAX_BODY_BYTES // 65536 + 1))
    assert (status, document["type"]) == (413, "/problems/body-too-large")
    assert server.memory() - before < 20 * MEBIBYTE


def test_an_empty_chunked_body_is_an_empty_object(server: EchoServer) -> None:
    assert server.post("/echo", iter([])).json() == {"received": {}}
    assert server.post("/echo", None).json() == {"received": {}}


def test_a_body_whose_content_length_is_too_large_is_refused_before_it_is_sent(
    server: EchoServer,
) -> None:
    head = "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n"
    status, document = server.send(head.encode())
    assert (status, document["type"]) == (413, "/problems/body-too-large")


@pytest.mark.parametrize(
    "request_",
    [
        b'Content-Length: 500\r\n\r\n{"a": [1, 2',
        b'Transfer-Encoding: chunked\r\n\r\nb\r\n{"a": [1, 2\r\n',
    ],
)
def test_a_body_that_is_cut_off_is_refused(server: EchoServer, request_: bytes) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: localhost\r\n"
    status, document = server.send(head + request_, close=True)
    assert (status, document["type"]) == (400, "/problems/malformed-body")


def test_no_content_type_causes_a_server_error(server: EchoServer) -> None:
    content_types = [
        "a/b; c*=bogus''d",
        "application/json; charset=utf-16",
        "x" * 300,
        "//;;=",
        "*/*",
        'a/b; c="' + ";" * 30_000,
    ]
    responses = [server.post("/echo", b"{}", **{"Content-Type": name}) for name in content_types]
    assert [response.status_code for response in responses] == [200, 200, 415, 200, 200, 200]
