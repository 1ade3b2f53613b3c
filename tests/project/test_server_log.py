"""What the web server writes, from its start to its end: each line is JSON in production."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from taskproject import web
from tests.project.web_server import running
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN = "canary"
BIG = b"x" * (10 * 1024 * 1024 + 1)
CALLER = {"X-Request-ID": "r-1", "traceparent": f"00-{'a' * 32}-00f067aa0ba902b7-01"}


def test_every_line_of_a_web_server_is_json(tmp_path: Path) -> None:
    environment = {"LOG_JSON": "true", "ACCESS_LOG": "true", "API_ALLOW_ANONYMOUS": "true"}
    with running(tmp_path / "log", **environment) as server:
        wait_until(server.is_up)
        tasks = f"{server.url}/api/v1/tasks/"
        for path, status in (("", 200), ("?status=none", 400), ("nothing", 404)):
            assert requests.get(tasks + path, timeout=30).status_code == status
        # Answered by the gateway.
        live = requests.get(f"{server.url}/health/live", headers=CALLER, timeout=30)
        large = requests.post(f"{tasks}?token={TOKEN}", BIG, headers=CALLER, timeout=30)
        cut_off = server.send(
            b"POST /api/v1/tasks/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"
        )
        # Answered by the server itself.
        assert b" 400 Bad Request" in server.send(b"NONSENSE\r\n\r\n")
        assert [live.headers["X-Request-ID"], large.headers["X-Request-ID"]] == ["r-1", "r-1"]
        assert b"x-request-id: " in cut_off
        server.kill_a_process()
    lines = server.lines()
    for line in lines:
        assert {"event", "level", "logger", "timestamp"} <= line.keys(), line
    events = [line["event"] for line in lines if line["logger"].startswith("_granian")]
    assert any(event.startswith("Listening at") for event in events)
    assert any(event.startswith("Unexpected exit from worker") for event in events)
    assert "Shutting down granian" in events
    answered = [line for line in server.answered() if line["path"] != "/health/ready"]
    assert [(line["method"], line["path"], line["route"], line["status"]) for line in answered] == [
        ("GET", "/api/v1/tasks/", "api/v1/tasks/", 200),
        ("GET", "/api/v1/tasks/", "api/v1/tasks/", 400),
        ("GET", "/api/v1/tasks/nothing", None, 404),
        ("GET", "/health/live", "health/live", 200),
        ("POST", "/api/v1/tasks/", None, 413),
        ("POST", "/api/v1/tasks/", None, 400),
    ]
    for line in answered:
        assert line["request_id"]
        assert line["trace_id"]
        assert 0 <= line["seconds"] < 60
    for line in answered[3:5]:
        assert (line["request_id"], line["trace_id"]) == ("r-1", "a" * 32)
    assert TOKEN not in server.output()


def test_without_json_the_server_writes_plain_text_and_only_errors(tmp_path: Path) -> None:
    with running(tmp_path / "log", LOG_JSON="false") as server:
        wait_until(server.is_up)
        assert requests.get(f"{server.url}/health/live", timeout=30).ok
        server.kill_a_process()
    lines = server.output().splitlines()
    assert [line.partition(" from")[0] for line in lines] == ["[ERROR] Unexpected exit"]


def test_a_site_that_cannot_be_loaded_is_a_line_with_its_traceback(tmp_path: Path) -> None:
    command = web.command("127.0.0.1")[1:-1]
    log = Path(web.__file__).with_name("server_log.json")
    with running(
        tmp_path / "log", *command, f"--log-config={log}", "tests.project.broken_site:load"
    ) as server:
        assert server.process.wait(60)
    (failed, *_) = [line for line in server.lines() if line["level"] == "critical"]
    assert failed["event"] == "the site cannot be loaded"
    assert "ModuleNotFoundError" in failed["exception"]
