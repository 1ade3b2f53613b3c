"""Workflows and batches that end, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from tasks import kinds, lifecycle
from tasks.kinds.exceptions import FatalError
from tasks.lifecycle.ending import completed, raised
from tasks.models import Task
from tests.api.described import described, fields, post
from tests.factories import make_worker
from tests.lifecycle.claiming import claim, finish

pytestmark = pytest.mark.django_db(transaction=True)

BATCHES = "/api/v1/tasks/batch/"
WORKFLOWS = "/api/v1/workflows/"
TASK: dict[str, Any] = {"kind": "test.script", "input": {"do": "return"}}


@pytest.fixture
def my_api(api_for: Callable[[User], APIClient], user: User) -> APIClient:
    return api_for(user)


def end_all(*, failing: bool = False) -> int:
    """Settle, then end what can be claimed; return how many."""
    lifecycle.settle()
    held = claim(make_worker())
    kind = kinds.get("test.script")
    error = FatalError("requested")
    finish(*(raised(each, kind, error) if failing else completed(each, {"n": 1}) for each in held))
    lifecycle.settle()
    return len(held)


def workflow(**tasks: Any) -> dict[str, Any]:
    return {"name": "Example", "tasks": tasks}


def test_a_workflow_is_submitted_shown_and_ends(my_api: APIClient) -> None:
    body = workflow(
        a=TASK, b={**TASK, "after": ["a"]}, c={**TASK, "input": {"x": {"$result": "b.n"}}}
    )
    response = post(my_api, WORKFLOWS, body)
    created = described(response)
    assert response.status_code == 202
    assert created["status"] == "running"
    assert list(created["tasks"]) == ["a", "b", "c"]
    path = response.headers["Location"]
    shown = described(my_api.get(path))
    assert shown["workflow_id"] == created["workflow_id"]
    assert {name: task["after"] for name, task in shown["tasks"].items()} == {
        "a": [], "b": ["a"], "c": ["b"],
    }  # fmt: skip
    waiting = described(my_api.get(f"/api/v1/tasks/{created['tasks']['b']}"))
    assert waiting["waiting"]["reason"] == "dependencies"
    assert waiting["waiting"]["detail"] == "Waiting for a."
    assert (waiting["scheduled_at"], waiting["node"], waiting["status"]) == (None, "b", "PENDING")
    assert [end_all() for _ in range(3)] == [1, 1, 1]
    ended = described(my_api.get(path))
    assert (ended["status"], ended["progress"]) == ("completed", 100)
    assert ended["finished_at"] is not None
    assert ended["links"] == {"self": path, "cancel": None, "retry": None}
    assert Task.objects.get(pk=created["tasks"]["c"]).input == {"x": 1}


def test_a_failed_workflow_is_retried_and_cancelled(my_api: APIClient) -> None:
    response = post(my_api, WORKFLOWS, workflow(a=TASK, b={**TASK, "after": ["a"]}))
    path = response.headers["Location"]
    end_all(failing=True)
    failed = described(my_api.get(path))
    assert failed["status"] == "failed"
    assert {name: task["status"] for name, task in failed["tasks"].items()} == {
        "a": "FAILED", "b": "CANCELLED",
    }  # fmt: skip
    assert described(post(my_api, failed["links"]["retry"]))["status"] == "running"
    end_all()
    assert described(my_api.get(path))["tasks"]["b"]["status"] == "PENDING"
    cancelled = described(post(my_api, f"{path}/cancel"))
    assert cancelled["counts"]["CANCELLED"] == 1
    lifecycle.settle()
    assert described(my_api.get(path))["status"] == "cancelled"


def test_a_repeated_workflow_is_the_same(my_api: APIClient) -> None:
    def send(body: Any) -> Any:
        return my_api.post(WORKFLOWS, body, format="json", headers={"Idempotency-Key": "k"})

    first, second = send(workflow(a=TASK)), send(workflow(a=TASK))
    assert (first.status_code, second.status_code) == (202, 200)
    assert described(first)["tasks"] == described(second)["tasks"]
    assert send(workflow(b=TASK)).status_code == 422


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"tasks": {}}, "tasks"),
        ({}, "tasks"),
        (workflow(a={"input": {}}), "tasks.a.kind"),
        (workflow(a={**TASK, "delay": 1}), "tasks.a"),
        (workflow(a={**TASK, "after": ["b"]}), "tasks.a.after"),
        (workflow(a={**TASK, "map": {"x": 1}}), "tasks.a.map"),
        ({**workflow(a=TASK), "callback_url": "nowhere"}, "callback_url"),
        ({**workflow(a=TASK), "more": 1}, ""),
    ],
)
def test_an_invalid_workflow_names_the_field(my_api: APIClient, body: Any, field: str) -> None:
    named = fields(post(my_api, WORKFLOWS, body))
    assert any(name.startswith(field) for name in named), named
    assert not Task.objects.exists()


def test_a_batch_with_what_follows(my_api: APIClient) -> None:
    then = {"kind": "test.script", "input": {"do": "return", "failed": {"$batch": "failed"}}}
    body = {"tasks": [TASK, TASK], "name": "Two", "then": then, "on_failure": "stop"}
    response = post(my_api, BATCHES, body)
    path = response.headers["Location"]
    assert response.status_code == 202
    shown = described(my_api.get(path))
    assert (shown["status"], shown["name"], shown["on_failure"]) == ("running", "Two", "stop")
    then_id = shown["then_task_id"]
    waiting = described(my_api.get(f"/api/v1/tasks/{then_id}"))["waiting"]
    assert waiting["detail"] == "Waiting for the end of a batch."
    members = described(my_api.get(shown["links"]["tasks"]))["results"]
    assert {task["task_id"] for task in members} == set(described(response)["task_ids"])
    end_all()
    assert described(my_api.get(path))["status"] == "completed"
    assert Task.objects.get(pk=then_id).input == {"do": "return", "failed": 0}


def test_an_open_batch_takes_tasks_until_it_is_closed(my_api: APIClient) -> None:
    response = post(my_api, BATCHES, {"tasks": [], "open": True, "then": TASK})
    path = response.headers["Location"]
    added = post(my_api, f"{path}/tasks/", [TASK])
    assert added.status_code == 202
    assert len(described(added)["task_ids"]) == 1
    end_all()
    assert described(my_api.get(path))["status"] == "open"
    assert described(post(my_api, f"{path}/close"))["status"] == "running"
    lifecycle.settle()
    assert described(my_api.get(path))["status"] == "completed"
    refused = post(my_api, f"{path}/tasks/", [TASK])
    assert described(refused)["type"] == "/problems/batch-closed"
    assert described(post(my_api, f"{path}/close"))["status"] == "completed"


def test_a_batch_is_cancelled_and_retried(my_api: APIClient) -> None:
    path = post(my_api, BATCHES, {"tasks": [TASK, TASK], "on_failure": "stop"}).headers["Location"]
    cancelled = described(post(my_api, f"{path}/cancel"))
    assert cancelled["counts"]["CANCELLED"] == 2
    lifecycle.settle()
    assert described(my_api.get(path))["status"] == "cancelled"
    assert described(post(my_api, f"{path}/retry"))["status"] == "running"
    end_all()
    assert described(my_api.get(path))["status"] == "completed"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"tasks": []}, "tasks"),
        ({"tasks": [TASK], "then": {"input": {}}}, "then"),
        ({"tasks": [TASK], "then": {"kind": "none"}}, "then.kind"),
        ({"tasks": [TASK], "then": {**TASK, "input": {"x": {"$result": "a"}}}}, "then.input.x"),
        ({"tasks": [TASK], "then": {**TASK, "input": {"x": {"$batch": "b"}}}}, "then.input.x"),
        ({"tasks": [TASK], "on_failure": "explode"}, "on_failure"),
        ({"tasks": [TASK], "callback_url": "nowhere"}, "callback_url"),
    ],
)
def test_an_invalid_batch_names_the_field(my_api: APIClient, body: Any, field: str) -> None:
    assert any(name.startswith(field) for name in fields(post(my_api, BATCHES, body)))
    assert not Task.objects.exists()


def test_others_neither_see_nor_change(
    my_api: APIClient, api_for: Callable[[User], APIClient]
) -> None:
    stranger = api_for(User.objects.create_user("stranger"))
    paths = {
        post(my_api, WORKFLOWS, workflow(a=TASK)).headers["Location"]: ("cancel", "retry"),
        post(my_api, BATCHES, {"tasks": [TASK], "open": True}).headers["Location"]: (
            "cancel", "retry", "close", "tasks/",
        ),
    }  # fmt: skip
    for path, actions in paths.items():
        assert stranger.get(path).status_code == 404
        for action in actions:
            body = [TASK] if action == "tasks/" else None
            assert post(stranger, f"{path}/{action}", body).status_code == 404
    assert Task.objects.count() == 2
