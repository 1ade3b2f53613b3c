"""No input, result, key or password gets into the log, whatever happens to a task."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.project.conftest import open_directory
from tests.project.running import Up, up
from tests.waiting import wait_until

SECRET = "canary"
SETTINGS = {
    "EXTRA_APPS": "tests.script",
    "LOG_LEVEL": "DEBUG",
    "ACCESS_LOG": "true",
    # Each statement is logged as a slow one, and each attempt.
    "SLOW_STATEMENT": "1ms",
    "SLOW_TASK": "1ms",
    "SECRET_KEY": f"{SECRET}-0b1f6a52c5f7437d9a7fd1e0a2d4c9e3",
    "OPENROUTER_API_KEY": f"{SECRET}-openrouter",
    "FACEBOOK_APP_SECRET": f"{SECRET}-facebook",
    "FACEBOOK_VERIFY_TOKEN": f"{SECRET}-verify",
    "METRICS_TOKEN": f"{SECRET}-metrics",
    "GENERIC_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}
TASKS: list[dict[str, Any]] = [
    {"kind": "test.script", "input": {"value": SECRET}, "metadata": {"m": SECRET}},
    {"kind": "test.script", "input": {"do": "raise", "value": SECRET}},
    {
        "kind": "test.script",
        "input": {"do": "raise", "message": f"postgres://u:{SECRET}@h/d?password={SECRET}"},
    },
    {"kind": "test.script", "input": {"do": "follow up", "value": SECRET}},
    {"kind": "test.script", "input": {"do": "return invalid JSON", "value": SECRET}},
    {"kind": "test.isolated", "input": {"do": "exit", "value": SECRET}, "max_attempts": 1},
    {"kind": "text.analyze", "input": {"text": f"{SECRET} is a bird."}},
]
REFUSED: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/api/v1/tasks/", {"data": f'{{"{SECRET}'}),
    (
        "POST",
        "/api/v1/tasks/",
        {"json": {"kind": "test.sum", "input": {SECRET: SECRET}, SECRET: 1}},
    ),
    ("POST", "/api/v1/tasks/", {"json": {"kind": "test.sum", "priority": SECRET}}),
    (
        "POST",
        "/api/v1/tasks/",
        {"json": {"kind": "test.sum", "callback_url": f"http://u:{SECRET}@127.0.0.1/"}},
    ),
    ("GET", "/api/v1/tasks/", {"headers": {"Authorization": f"Bearer {SECRET}"}}),
    ("GET", f"/api/v1/tasks/?status={SECRET}", {}),
    ("GET", f"/nothing?token={SECRET}", {}),
    ("POST", "/admin/login/", {"data": {"username": "admin", "password": SECRET}}),
]


@pytest.fixture(scope="module")
def running() -> Iterator[Up]:
    with open_directory() as directory, up(directory / "data", **SETTINGS) as system:
        system.wait_until_started()
        yield system


def test_the_log_names_no_secret(running: Up) -> None:
    site = f"http://127.0.0.1:{running.port}"
    for task in TASKS:
        answer = requests.post(f"{site}/api/v1/tasks/", json=task, timeout=30)
        assert answer.status_code == 202, answer.text
        path = answer.headers["Location"]
        wait_until(lambda path=path: _has_ended(site + path), within=60, what=f"{task} ends")
    for method, path, options in REFUSED:
        assert requests.request(method, site + path, timeout=30, **options).status_code >= 400
    headers = {"Idempotency-Key": SECRET}
    requests.post(f"{site}/api/v1/tasks/", json=TASKS[0], headers=headers, timeout=30)
    log = running.log.read_text()
    # The log is complete: it has an end for each task, and a line for each request.
    assert log.count('"request answered"') >= len(TASKS) + len(REFUSED)
    assert "a statement took longer than SLOW_STATEMENT" in log
    assert "task failed" in log
    assert "the attempt took longer than SLOW_TASK" in log
    lines = log.splitlines()
    assert [line for line in lines if SECRET in line] == []
    assert "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" not in log


def _has_ended(url: str) -> bool:
    return requests.get(url, timeout=30).json()["status"] in ("COMPLETED", "FAILED")


def test_every_line_but_the_greeting_is_json(running: Up) -> None:
    greeting = running.output.index("Ctrl-C stops everything")
    lines = list(filter(None, running.output[greeting:].splitlines()[1:]))
    others = [line for line in lines if not line.startswith("{")]
    assert others == []
    for line in lines:
        assert {"event", "level", "logger", "timestamp"} <= json.loads(line).keys(), line
