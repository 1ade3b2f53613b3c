"""A request that is sent again under its key makes no second task."""

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


def test_a_repetition_is_answered_with_the_first_task(api: APIClient) -> None:
    first, again = submit(api, "order-1"), submit(api, "order-1")
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert described(again)["task_id"] == described(first)["task_id"]
    assert len(jobs()) == Task.objects.count() == 1


def test_a_repetition_tells_how_far_the_task_is_by_now(api: APIClient) -> None:
    submit(api, "order-1")
    Task.objects.update(progress=40)
    assert described(submit(api, "order-1"))["progress"] == 40


def test_the_key_of_another_request_is_refused(api: APIClient) -> None:
    submit(api, "order-1")
    response = submit(api, "order-1", {**BODY, "input": {"value": 2}})
    assert response.status_code == 422
    assert described(response)["type"] == "/problems/idempotency-key-reused"
    assert Task.objects.count() == 1


def test_keys_belong_to_their_owner(
    api: APIClient, api_for: Callable[[User], APIClient], user: User, stranger: User
) -> None:
    clients = [api, api_for(user), api_for(stranger)]
    ids = {submit(client, "order-1").json()["task_id"] for client in clients}
    assert len(ids) == 3


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "\u00e9"])
def test_a_key_that_is_none_is_refused(api: APIClient, key: str) -> None:
    response = submit(api, key)
    assert response.status_code == 400
    assert list(fields(response)) == ["Idempotency-Key"]


def test_the_documented_routes_know_it_too(api: APIClient) -> None:
    first, again = (submit(api, "text-1", {"text": "to be"}, "/v1/tasks") for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["task_id"] == again.json()["task_id"]


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_makes_the_task() -> None:
    def once(_: int) -> tuple[int, str]:
        try:
            response = submit(APIClient(), "order-1")
            return response.status_code, response.json()["task_id"]
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(once, range(100)))
    assert sorted(status for status, _ in answers) == [200] * 99 + [202]
    assert len({task_id for _, task_id in answers}) == 1
    assert Task.objects.get().status == Status.PENDING
    assert len(jobs()) == 1
