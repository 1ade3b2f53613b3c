"""The shorter handler answers calls of the API as the complete one does."""

from __future__ import annotations

import gc
import io
from typing import Any

import pytest

from tasks.api.site import Site

pytestmark = pytest.mark.django_db(transaction=True)

CALLS = [
    ("GET", "/api/v1/tasks/", b"", 200),
    ("GET", "/api/v1/tasks/00000000-0000-4000-8000-000000000000", b"", 404),
    ("GET", "/api/v1/tasks/?status=none", b"", 400),
    ("GET", "/api/v1/nothing", b"", 404),
    ("PUT", "/api/v1/kinds/", b"", 405),
    ("POST", "/api/v1/tasks/", b"{", 400),
    ("POST", "/api/v1/tasks/", b'{"kind": "none"}', 400),
    ("GET", "/health/ready", b"", 200),
    ("GET", "/docs", b"", 200),
    ("GET", "/v1/tasks", b"", 405),
]


@pytest.fixture(scope="module")
def site() -> Site:
    return Site()


def call(handler: Any, method: str, path: str, body: bytes = b"", **more: str) -> Any:
    path, _, query = path.partition("?")
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8000",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_HOST": "localhost:8000",
        "HTTP_X_REQUEST_ID": "r-1",
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
        **more,
    }
    response = handler(environ, lambda *_: None)
    response.close()
    return response


@pytest.mark.parametrize(("method", "path", "body", "status"), CALLS)
def test_a_call_has_the_same_answer_from_both_handlers(site, method, path, body, status, settings):
    settings.API_ALLOW_ANONYMOUS = True
    short = call(site._handle_call, method, path, body)
    complete = call(site._handle, method, path, body)
    assert short.status_code == complete.status_code == status
    headers = dict(complete.items())
    # The complete one looked for a session.
    headers["Vary"] = headers.get("Vary", "").replace(", Cookie", "").replace("Cookie", "")
    assert {"Vary": "", **dict(short.items())} == headers
    if "date" not in short.content.decode().lower():
        assert short.content == complete.content


def test_a_call_with_a_session_has_its_user(site, admin_client, settings):
    settings.API_ALLOW_ANONYMOUS = settings.API_OPEN_TO_THIS_MACHINE = False
    cookie = admin_client.cookies[settings.SESSION_COOKIE_NAME].OutputString()
    assert call(site, "GET", "/api/v1/tasks/").status_code == 401
    assert call(site, "GET", "/api/v1/tasks/", HTTP_COOKIE=cookie).status_code == 200


def test_pages_have_the_complete_handler(site):
    assert "csrftoken" in call(site, "GET", "/ui/login/").cookies
    assert call(site, "GET", "/admin/").status_code == 302
    assert call(site, "GET", "/").status_code == 200


def test_frequent_calls_leave_nothing_to_the_garbage_collector(site, settings):
    settings.API_ALLOW_ANONYMOUS = True
    task = b'{"kind": "test.script", "input": {"do": "return"}}'
    submitted = call(site, "POST", "/api/v1/tasks/", task)["Location"]
    etag = call(site, "GET", submitted)["ETag"]
    for method, path, body, headers, status in (
        ("POST", "/api/v1/tasks/", task, {}, 202),
        ("GET", submitted, b"", {}, 200),
        ("GET", submitted, b"", {"HTTP_IF_NONE_MATCH": etag}, 304),
    ):
        gc.collect()
        gc.disable()
        try:
            assert call(site, method, path, body, **headers).status_code == status
            assert gc.collect() == 0, (method, status)
        finally:
            gc.enable()
