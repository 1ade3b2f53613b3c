"""Visibility: which callers see and change a task, on every route that names one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient
from uuid_utils.compat import uuid7

from tasks.models import Status, Task
from tests.api.described import described
from tests.factories import make_task

pytestmark = pytest.mark.django_db

# By route: method, path after the task, a task status that allows it, the status code then.
ROUTES = {
    "get": ("get", "", Status.FAILED, 200),
    "retry": ("post", "/retry", Status.FAILED, 202),
    "cancel": ("post", "/cancel", Status.PENDING, 200),
    "delete": ("delete", "", Status.FAILED, 204),
}
# By caller of alice's task: the status code when reading and when changing (None: success).
CALLERS = {
    "anonymous": (404, 404),
    "stranger": (404, 404),
    "viewer": (None, 403),
    "owner": (None, None),
    "operator": (None, None),
}


@pytest.fixture
def clients(
    api: APIClient,
    api_for: Callable[[User], APIClient],
    user: User,
    stranger: User,
    viewer: User,
    operator: User,
) -> dict[str, APIClient]:
    return {
        "anonymous": api,
        "stranger": api_for(stranger),
        "viewer": api_for(viewer),
        "owner": api_for(user),
        "operator": api_for(operator),
    }


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("caller", CALLERS)
def test_a_task_is_seen_and_changed_only_by_permitted_callers(
    clients: dict[str, APIClient], user: User, caller: str, route: str
) -> None:
    method, suffix, status, success = ROUTES[route]
    reading, changing = CALLERS[caller]
    task = make_task(status, owner=user)
    response: Any = getattr(clients[caller], method)(f"/api/v1/tasks/{task.id}{suffix}")
    assert response.status_code == ((reading if route == "get" else changing) or success)
    if response.status_code >= 400:
        assert Task.objects.get(pk=task.pk).status == status


@pytest.mark.parametrize("route", ROUTES)
def test_a_task_of_another_owner_looks_like_an_unknown_task(
    clients: dict[str, APIClient], user: User, route: str
) -> None:
    method, suffix, status, _ = ROUTES[route]
    send = getattr(clients["stranger"], method)
    problems = []
    for task_id in (make_task(status, owner=user).id, uuid7()):
        problem = described(send(f"/api/v1/tasks/{task_id}{suffix}"))
        problems.append({**problem, "instance": problem["instance"].replace(str(task_id), "")})
    assert problems[0] == problems[1]


def test_lists_contain_only_the_tasks_that_the_caller_may_see(
    clients: dict[str, APIClient], user: User
) -> None:
    make_task(Status.FAILED, owner=user)
    make_task(Status.FAILED)
    for path in ("/api/v1/tasks/", "/api/v1/queues/dlq"):
        seen = {
            name: len(described(client.get(path))["results"]) for name, client in clients.items()
        }
        assert seen == {"anonymous": 1, "stranger": 0, "viewer": 2, "owner": 1, "operator": 2}


def test_groups_count_only_the_tasks_that_the_caller_may_see(
    clients: dict[str, APIClient], user: User
) -> None:
    make_task(Status.FAILED, owner=user)
    groups = {
        name: client.get("/api/v1/queues/dlq").json()["groups"] for name, client in clients.items()
    }
    assert groups["stranger"] == groups["anonymous"] == []
    assert groups["owner"][0]["count"] == 1
