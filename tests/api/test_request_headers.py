"""Headers as Django gets them from the real server (PEP 3333, RFC 9110)."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.staticfiles import finders

from tests.api.echo_process import EchoServer

HOST = b"Host: localhost\r\n"


def meta(server: EchoServer, *headers: bytes, target: bytes = b"/meta") -> dict[str, object]:
    """Return what Django sees of a request with these headers."""
    lines = b"".join(header + b"\r\n" for header in headers)
    status, document = server.send(b"GET " + target + b" HTTP/1.1\r\n" + HOST + lines + b"\r\n")
    assert status == 200
    return document


def test_bytes_beyond_ascii_stay_in_a_header(server: EchoServer) -> None:
    assert meta(server, b"X-Name: t\xe9")["HTTP_X_NAME"] == "t\xe9"


def test_a_foreign_cookie_beyond_ascii_does_not_take_the_others_with_it(
    server: EchoServer,
) -> None:
    cookies = meta(server, "Cookie: sessionid=abc; theme=dunkelgrün".encode())["cookies"]
    assert cookies == {"sessionid": "abc", "theme": "dunkelgrün"}
    cookies = meta(server, b"Cookie: a=1", b"Cookie: b=\xff; c=3")["cookies"]
    assert cookies == {"a": "1", "b": "\ufffd", "c": "3"}


def test_an_authorization_beyond_ascii_reaches_the_check_of_keys(server: EchoServer) -> None:
    assert meta(server, b"Authorization: Bearer t\xe9")["HTTP_AUTHORIZATION"] == "Bearer t\xe9"


def test_a_name_with_an_underscore_does_not_pass_for_one_with_a_hyphen(server: EchoServer) -> None:
    seen = meta(server, b"X_Forwarded_Proto: https", b"X-Forwarded-Proto: http", b"X_Other: 1")
    assert seen["HTTP_X_FORWARDED_PROTO"] == "http"
    assert "HTTP_X_OTHER" not in seen


@pytest.mark.parametrize(
    "name", ["Host", "Authorization", "Content-Type", "X-Forwarded-Proto", "Idempotency-Key"]
)
def test_a_header_that_may_occur_once_is_refused_when_repeated(
    server: EchoServer, name: str
) -> None:
    repeated = f"{name}: localhost\r\n".encode() * 2
    first = b"" if name == "Host" else HOST
    status, document = server.send(b"GET /meta HTTP/1.1\r\n" + first + repeated + b"\r\n")
    assert (status, document["type"]) == (400, "/problems/bad-request")
    assert document["detail"] == f"The header {name.lower()} occurs more than once."


def test_other_headers_that_are_repeated_become_a_list(server: EchoServer) -> None:
    assert meta(server, b"Accept: a/b", b"Accept: c/d")["HTTP_ACCEPT"] == "a/b,c/d"


def test_the_path_and_the_query_keep_their_bytes(server: EchoServer) -> None:
    seen = meta(server, target="/%6deta?q=%C3%A9&r=é".encode())
    assert (seen["PATH_INFO"], seen["QUERY_STRING"]) == ("/meta", "q=%C3%A9&r=\xc3\xa9")


def test_http_2_without_tls_is_refused(server: EchoServer) -> None:
    with server.open(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") as connection:
        assert connection.recv(4096) == b""


def test_a_stream_of_unknown_length_arrives_whole(server: EchoServer) -> None:
    response = server.get("/stream")
    assert response.headers["Transfer-Encoding"] == "chunked"
    assert response.text == "".join(f"{number}," for number in range(1_000))


def test_a_head_request_has_the_headers_alone(server: EchoServer) -> None:
    request = b"HEAD /large HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
    with server.open(request) as connection:
        received = b""
        while part := connection.recv(65536):
            received += part
    head, _, body = received.partition(b"\r\n\r\n")
    assert (head.split()[1], body) == (b"200", b"")


@pytest.mark.parametrize("path", ["/health/live", "/health/live/"])
def test_the_process_reports_that_it_responds_under_any_host(server: EchoServer, path: str) -> None:
    for host in ("10.0.0.7:8000", "elsewhere.example", "[fe80::1]"):
        response = server.get(path, Host=host)
        assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_a_static_file_arrives_whole_and_in_parts(server: EchoServer) -> None:
    name = "drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
    content = Path(str(finders.find(name))).read_bytes()
    response = server.get(f"/static/{name}")
    assert response.content == content
    assert response.headers["Content-Length"] == str(len(content))
    part = server.get(f"/static/{name}", Range="bytes=5-9")
    assert (part.status_code, part.content) == (206, content[5:10])
    unchanged = server.get(f"/static/{name}", **{"If-None-Match": response.headers["ETag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
