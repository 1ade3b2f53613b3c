"""Request bodies sent to a real server: chunked, cut off, endless, with false headers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tasks.api.parsers import MAX_BODY_BYTES
from tests.api.echo_process import EchoServer

MEBIBYTE = 1024 * 1024


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
    status, document = server.send(head + chunk * (10 * MAX_BODY_BYTES // 65536))
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
