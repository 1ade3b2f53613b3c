"""Idempotency keys: a repeated request creates no second task."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from tasks.models import Schedule, Status, Task
from tests.api.described import described, fields, openapi
from tests.queue_rows import jobs

TASKS = "/api/v1/tasks/"
BODY = {"kind": "test.script", "input": {"value": 1}}

pytestmark = pytest.mark.django_db


def submit(client: APIClient, key: str, body: object = BODY, path: str = TASKS):
    return client.post(path, body, format="json", headers={"Idempotency-Key": key})


def test_a_repeated_request_returns_the_first_task(api: APIClient) -> None:
    first, second = submit(api, "order-1"), submit(api, "order-1")
    assert (first.status_code, second.status_code) == (202, 200)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert described(second)["task_id"] == described(first)["task_id"]
    assert len(jobs()) == Task.objects.count() == 1


def test_a_repeated_request_shows_the_current_state_of_the_task(api: APIClient) -> None:
    submit(api, "order-1")
    Task.objects.update(progress=40)
    assert described(submit(api, "order-1"))["progress"] == 40


def test_a_key_that_was_used_for_another_request_is_refused(api: APIClient) -> None:
    submit(api, "order-1")
    response = submit(api, "order-1", {**BODY, "input": {"value": 2}})
    assert response.status_code == 422
    assert described(response)["type"] == "/problems/idempotency-key-reused"
    assert Task.objects.count() == 1


def test_the_same_key_of_another_owner_creates_another_task(
    api: APIClient, api_for: Callable[[User], APIClient], user: User, stranger: User
) -> None:
    clients = [api, api_for(user), api_for(stranger)]
    ids = {submit(client, "order-1").json()["task_id"] for client in clients}
    assert len(ids) == 3


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "\u00e9"])
def test_an_invalid_key_is_refused(api: APIClient, key: str) -> None:
    response = submit(api, key)
    assert response.status_code == 400
    assert list(fields(response)) == ["Idempotency-Key"]


def test_the_documented_routes_honour_the_key(api: APIClient) -> None:
    first, second = (submit(api, "text-1", {"text": "to be"}, "/v1/tasks") for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json()["task_id"] == second.json()["task_id"]


def test_a_repeated_request_is_logged_once(
    api: APIClient, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Any
) -> None:
    with (
        caplog.at_level("INFO", "tasks.transition"),
        django_capture_on_commit_callbacks(execute=True),
    ):
        for _ in range(3):
            submit(api, "order-1")
            submit(api, "orders-1", [BODY, BODY], "/api/v1/tasks/batch/")
    assert [record.getMessage() for record in caplog.records] == ["task submitted"] * 3


def test_a_request_repeated_after_the_end_of_its_task_says_so_in_the_documented_shape(
    api: APIClient,
) -> None:
    submit(api, "text-1", {"text": "to be"}, "/v1/tasks")
    Task.objects.update(status=Status.CANCELLED, job_id=None, finished_at=timezone.now())
    assert described(submit(api, "text-1", {"text": "to be"}, "/v1/tasks"))["status"] == "CANCELLED"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/tasks", {"text": "to be"}),
        ("/api/v1/tasks/summarize/", {"content": "To be or not to be."}),
        ("/process", {"data": {"input": 42}}),
        ("/tasks", {"vector_data": [0.1, 0.2]}),
        ("/conversations/message", {"message": "Hi", "async_processing": True}),
        ("/conversations/message", {"message": "Hi", "async_processing": False}),
        (
            "/conversations/webhook-interaction",
            {"platform": "generic", "payload": {"id": "1", "message": "Hi"}},
        ),
        (TASKS, BODY),
        ("/api/v1/tasks/batch/", [BODY, BODY]),
    ],
)
def test_every_route_that_submits_honours_and_documents_the_key(
    api: APIClient, path: str, body: Any
) -> None:
    first, second = submit(api, "key-1", body, path), submit(api, "key-1", body, path)
    assert (first.status_code, second.status_code) == (202, 200)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert described(second) == described(first)
    operation = openapi()["paths"][path]["post"]
    assert "Idempotency-Key" in [parameter["name"] for parameter in operation["parameters"]]


def test_a_schedule_is_run_once_for_a_key(
    api_for: Callable[[User], APIClient], operator: User
) -> None:
    ops = api_for(operator)
    nightly = {"name": "Nightly", "kind": "test.script", "cron": "0 3 * * *"}
    run = ops.post("/api/v1/schedules/", nightly, format="json").json()["links"]["run"]
    first, second, other = (submit(ops, key, {}, run) for key in ("run-1", "run-1", "run-2"))
    assert [response.status_code for response in (first, second, other)] == [202, 200, 202]
    assert described(second)["task_id"] == described(first)["task_id"]
    assert Task.objects.count() == 2
    # A repeated request does not make the earlier task the last one.
    submit(ops, "run-1", {}, run)
    assert str(Schedule.objects.get(name="Nightly").last_task_id) == described(other)["task_id"]


def test_a_key_is_submitted_again_when_its_task_was_deleted(api: APIClient) -> None:
    first = submit(api, "order-1").json()["task_id"]
    api.delete(f"{TASKS}{first}")
    again = submit(api, "order-1")
    assert again.status_code == 202
    assert again.json()["task_id"] != first


@pytest.mark.django_db(transaction=True)
def test_simultaneous_requests_with_one_key_create_one_task() -> None:
    def submit_once(_: int) -> tuple[int, str]:
        try:
            response = submit(APIClient(), "order-1")
            return response.status_code, response.json()["task_id"]
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as threads:
        responses = list(threads.map(submit_once, range(100)))
    assert sorted(status for status, _ in responses) == [200] * 99 + [202]
    assert len({task_id for _, task_id in responses}) == 1
    assert Task.objects.get().status == Status.PENDING
    assert len(jobs()) == 1
