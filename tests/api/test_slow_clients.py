"""Clients that stall or are slow: they delay no other request, and are ended in time."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from taskproject.web import THREADS
from tasks.api.gateway.listeners import SEND_BUFFER
from tests.api.echo import LARGE_BYTES
from tests.api.echo_process import REQUEST_TIMEOUT, EchoServer, answer
from tests.waiting import wait_until

HOST = b"Host: localhost\r\n"
POST = b"POST /echo HTTP/1.1\r\n" + HOST
# More than there are threads, and more than `listen` keeps waiting for one process to accept.
MANY = 3 * THREADS
UNFINISHED = {
    "headers": POST,
    "body by length": POST + b'Content-Length: 500\r\n\r\n{"a":',
    "chunked": POST + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n',
    "multipart": POST
    + b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 500\r\n\r\n--x",
    "expect": POST + b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    "no byte": b"",
}
WITH_A_BODY = ("body by length", "chunked", "multipart")


@pytest.mark.parametrize("shape", UNFINISHED)
def test_requests_that_are_never_completed_delay_no_other(server: EchoServer, shape: str) -> None:
    with ExitStack() as stack:
        for _ in range(MANY):
            stack.enter_context(server.open(UNFINISHED[shape]))
        assert server.post("/echo", b'{"a": 1}').json() == {"received": {"a": 1}}
        assert server.get("/health/live").json() == {"status": "ok"}


@pytest.mark.parametrize("shape", WITH_A_BODY)
def test_a_body_that_does_not_arrive_in_time_is_a_408(server: EchoServer, shape: str) -> None:
    began = time.monotonic()
    with server.open(UNFINISHED[shape]) as connection:
        status, document = answer(connection)
        assert connection.recv(1) == b"", "the connection is closed"
    assert REQUEST_TIMEOUT <= time.monotonic() - began < REQUEST_TIMEOUT + 5
    assert (status, document["type"]) == (408, "/problems/request-timeout")
    assert document["detail"] == "The body did not arrive within 2 seconds."


def test_a_body_that_comes_byte_by_byte_has_the_same_time_limit(server: EchoServer) -> None:
    head = b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 500\r\n\r\n"
    with server.open(head) as connection:
        connection.settimeout(0.1)
        received = b""

        def is_answered() -> bool:
            nonlocal received
            connection.sendall(b"x")
            try:
                received = connection.recv(4096)
            except TimeoutError:
                return False
            return True

        wait_until(is_answered, within=REQUEST_TIMEOUT + 5, what="a response comes")
    assert received.startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("shape", ["headers", "no byte"])
def test_a_connection_without_a_request_is_closed_in_time(server: EchoServer, shape: str) -> None:
    with server.open(UNFINISHED[shape]) as connection:
        assert connection.recv(1) == b""


def test_an_answer_that_is_not_read_ends_its_connection_in_time(server: EchoServer) -> None:
    with ExitStack() as stack:
        request = b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n"
        connections = [stack.enter_context(server.open(request)) for _ in range(MANY)]
        assert server.get("/meta").status_code == 200
        ports = {connection.getsockname()[1] for connection in connections}
        wait_until(lambda: not ports & server.peers(), what="the server has closed them all")
    assert len(server.get("/large").content) == LARGE_BYTES


def test_the_kernel_takes_only_so_much_of_an_answer_that_is_not_read(server: EchoServer) -> None:
    with server.open(b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n") as connection:
        port = connection.getsockname()[1]
        wait_until(lambda: server.unsent(port) > 0, what="the client takes no more")
        # Others are answered meanwhile, so the server has had the time to send more.
        for _ in range(10):
            assert server.get("/meta").status_code == 200
        # Linux doubles the size for its own records, and goes beyond it by one segment.
        assert 0 < server.unsent(port) < 4 * SEND_BUFFER
        received = b""
        while len(received) < LARGE_BYTES and (part := connection.recv(1_000_000)):
            received += part
    assert received.count(b"x") >= LARGE_BYTES


def test_health_is_answered_while_every_thread_is_busy(server: EchoServer, tmp_path: Path) -> None:
    until = tmp_path / "go"
    with ThreadPoolExecutor(MANY) as clients:
        held = [clients.submit(server.get, f"/hold?until={until}") for _ in range(MANY)]
        try:
            # One more would wait for a thread.
            assert server.get("/health/live").json() == {"status": "ok"}
            assert not any(response.done() for response in held)
        finally:
            until.touch()
    assert {response.result().status_code for response in held} == {200}
