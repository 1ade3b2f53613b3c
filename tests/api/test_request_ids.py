"""Requests have an id, which their tasks keep."""

from __future__ import annotations

import json
import logging
import re

import pytest
from rest_framework.test import APIClient

from tasks.models import Task
from tests.factories import make_task

pytestmark = pytest.mark.django_db

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
TASK = {"kind": "test.script", "input": {"do": "return"}}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("get", "/api/v1/tasks/", 200),
        ("get", "/api/v1/tasks/?status=none", 400),
        ("get", "/nothing", 404),
        ("get", "/ui/login/", 200),
        ("get", "/admin/", 302),
        ("get", "/health/ready", 200),
        ("put", "/api/v1/kinds/", 405),
    ],
)
def test_every_answer_has_the_id_of_its_request(client, method, path, status):
    answer = getattr(client, method)(path, headers={"X-Request-ID": "r-1"})
    assert (answer.status_code, answer["X-Request-ID"]) == (status, "r-1")
    made = getattr(client, method)(path)["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{32}", made)


def test_a_task_keeps_the_request_and_its_trace(api: APIClient) -> None:
    headers = {"X-Request-ID": "r-1", "traceparent": TRACEPARENT}
    answer = api.post("/api/v1/tasks/", TASK, format="json", headers=headers)
    assert answer.json()["request_id"] == "r-1"
    task = Task.objects.get()
    assert (task.request_id, task.traceparent, task.cause.trace_id) == ("r-1", TRACEPARENT, TRACE)
    assert api.get(f"/api/v1/tasks/{task.id}").json()["request_id"] == "r-1"


def test_a_task_without_a_request_has_none(api: APIClient) -> None:
    task = make_task("PENDING")
    assert api.get(f"/api/v1/tasks/{task.id}").json()["request_id"] is None


def test_the_tasks_of_a_request_are_found(api: APIClient) -> None:
    batch = {"tasks": [TASK, TASK]}
    api.post("/api/v1/tasks/batch/", batch, format="json", headers={"X-Request-ID": "r-2"})
    api.post("/api/v1/tasks/", TASK, format="json")
    found = api.get("/api/v1/tasks/?request_id=r-2").json()["results"]
    assert [task["request_id"] for task in found] == ["r-2", "r-2"]


def test_a_repeated_request_gets_the_task_of_the_first(api: APIClient) -> None:
    first, second = (
        api.post(
            "/api/v1/tasks/",
            TASK,
            format="json",
            headers={"Idempotency-Key": "k", "X-Request-ID": id},
        )
        for id in ("r-1", "r-2")
    )
    assert (first.status_code, second.status_code) == (202, 200)
    assert second.json()["request_id"] == "r-1"
    assert second["X-Request-ID"] == "r-2"


def test_the_log_of_requests_has_paths_and_no_queries(client, settings, caplog):
    caplog.set_level(logging.INFO, logger="tasks.access")
    client.get("/api/v1/tasks/?status=FAILED")
    assert not caplog.records
    settings.ACCESS_LOG = True
    client.get("/api/v1/tasks/?status=FAILED")
    (record,) = caplog.records
    line = vars(record)
    assert record.getMessage() == "request answered"
    assert (line["method"], line["path"], line["status"]) == ("GET", "/api/v1/tasks/", 200)
    assert line["route"] == "api/v1/tasks/"
    assert 0 < line["seconds"] < 10
    assert "FAILED" not in json.dumps(line, default=str)
