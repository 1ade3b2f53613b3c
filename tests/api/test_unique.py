"""Unique tasks and expiry over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from tasks.models import Task
from tests.api.described import described, fields

pytestmark = pytest.mark.django_db
TASKS, BATCH = "/api/v1/tasks/", "/api/v1/tasks/batch/"


def submit(client: APIClient, unique: Any, **fields: Any) -> Any:
    body = {"kind": "test.script", "input": {"value": 1}, **fields}
    if unique is not None:
        body["unique"] = unique
    return client.post(TASKS, body, format="json")


def test_a_unique_task_that_exists_is_returned(api: APIClient) -> None:
    first = submit(api, {})
    second = submit(api, {"while": "unfinished", "on_conflict": "existing"})
    assert (first.status_code, second.status_code) == (202, 200)
    assert "Unique-Conflict" not in first.headers
    assert second.headers["Unique-Conflict"] == "existing"
    assert second.headers["Location"] == first.headers["Location"]
    assert described(second)["task_id"] == described(first)["task_id"]
    assert described(first)["unique"] == {"while": "unfinished", "until": None}
    assert described(submit(api, None))["unique"] is None


def test_a_refused_task_is_a_conflict(api: APIClient) -> None:
    first = submit(api, {})
    response = submit(api, {"on_conflict": "refuse"})
    assert response.status_code == 409
    problem = described(response)
    assert problem["type"] == "/problems/unique-conflict"
    assert described(first)["task_id"] in problem["detail"]
    assert response.headers["Location"] == first.headers["Location"]


def test_a_newer_request_replaces_a_waiting_task(api: APIClient) -> None:
    unique = {"key": "k", "while": "waiting", "on_conflict": "replace", "longest_wait": 300}
    first = submit(api, unique, delay=30)
    etag = api.get(first.headers["Location"]).headers["ETag"]
    second = submit(api, unique, input={"value": 2}, delay=30)
    assert (second.status_code, second.headers["Unique-Conflict"]) == (200, "replaced")
    assert described(second)["input"] == {"value": 2}
    assert described(second)["scheduled_at"] > described(first)["scheduled_at"]
    changed = api.get(first.headers["Location"], headers={"If-None-Match": etag})
    assert changed.status_code == 200


def test_users_do_not_meet(api: APIClient, api_for: Any) -> None:
    other = api_for(User.objects.create_user("other"))
    assert submit(api, {"key": "k"}).status_code == 202
    assert submit(other, {"key": "k"}).status_code == 202
    assert Task.objects.count() == 2


@pytest.mark.parametrize(
    ("unique", "field"),
    [
        ("k", "unique"),
        ({"key": 5}, "unique.key"),
        ({"key": ""}, "unique.key"),
        ({"key": "k" * 256}, "unique.key"),
        ({"by": "a"}, "unique.by"),
        ({"by": []}, "unique.by"),
        ({"by": [1]}, "unique.by.0"),
        ({"while": "later"}, "unique"),
        ({"while": []}, "unique.while"),
        ({"while": 0}, "unique"),
        ({"while": 1e300}, "unique"),
        ({"on_conflict": "fail"}, "unique.on_conflict"),
        ({"longest_wait": -1}, "unique.longest_wait"),
        ({"else": 1}, "unique.else"),
        ({"key": "k", "by": ["a"]}, "unique"),
        ({"on_conflict": "replace"}, "unique"),
    ],
)
def test_a_mistake_is_named(api: APIClient, unique: Any, field: str) -> None:
    response = submit(api, unique)
    assert response.status_code == 400
    assert field in fields(response)
    assert Task.objects.count() == 0


def test_a_batch_names_the_tasks_that_exist(api: APIClient) -> None:
    task_id = described(submit(api, {}))["task_id"]
    one = {"kind": "test.script", "input": {"value": 1}, "unique": {}}
    response = api.post(BATCH, [one, {**one, "input": {"value": 2}}], format="json")
    assert response.status_code == 202
    created = described(response)
    assert created["task_ids"][0] == task_id
    assert described(api.get(response.headers["Location"]))["total"] == 1


def test_a_batch_with_a_refused_task_is_a_conflict(api: APIClient) -> None:
    submit(api, {})
    one = {"kind": "test.script", "input": {"value": 1}, "unique": {"on_conflict": "refuse"}}
    response = api.post(BATCH, [{**one, "input": {}}, one], format="json")
    assert (response.status_code, Task.objects.count()) == (409, 1)
    assert described(response)["type"] == "/problems/unique-conflict"


def test_kinds_say_what_is_unique_and_when_tasks_expire(api: APIClient) -> None:
    kinds = {kind["name"]: kind for kind in described(api.get("/api/v1/kinds/"))["kinds"]}
    assert kinds["test.unique"]["unique"] == {
        "key": None,
        "by": ["account"],
        "while": "unfinished",
        "on_conflict": "existing",
        "longest_wait": None,
    }
    assert (kinds["test.script"]["unique"], kinds["test.script"]["expires_in"]) == (None, None)
    assert kinds["test.expiring"]["expires_in"] == 3600


def test_a_task_says_when_it_expires(api: APIClient) -> None:
    response = api.post(TASKS, {"kind": "test.script", "expires_in": 60}, format="json")
    stored = Task.objects.get()
    assert (
        described(response)["expires_at"]
        == described(api.get(response.headers["Location"]))["expires_at"]
    )
    assert described(response)["expires_at"] is not None
    assert stored.expires_at is not None


@pytest.mark.parametrize("value", [0, -5, "soon", True, 1e12])
def test_an_invalid_expiry_is_named(api: APIClient, value: Any) -> None:
    response = api.post(TASKS, {"kind": "test.script", "expires_in": value}, format="json")
    assert (response.status_code, list(fields(response))) == (400, ["expires_in"])
