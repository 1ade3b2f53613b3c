"""Idempotency keys: a repeated request creates no second task."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from django.db import connection
from rest_framework.test import APIClient

from tasks.models import Status, Task
from tests.api.described import described, fields
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
