from __future__ import annotations

import pytest
from rest_framework.test import APIClient
from uuid_utils.compat import uuid7

from tasks.models import Status, Task
from tests.api.described import described, is_conflict, post
from tests.factories import make_task
from tests.queue_rows import jobs

pytestmark = pytest.mark.django_db


def path(task: Task) -> str:
    return f"/api/v1/tasks/{task.id}/cancel"


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_waiting_task_is_cancelled_at_once(api: APIClient, slash: str) -> None:
    response = post(api, path(make_task()) + slash)
    assert response.status_code == 200
    shown = response.json()
    assert (shown["status"], shown["cancel_requested"]) == (Status.CANCELLED, True)
    assert shown["finished_at"]
    assert jobs() == []


def test_a_running_task_is_requested_to_stop(api: APIClient) -> None:
    response = post(api, path(make_task(Status.PROCESSING)))
    assert response.status_code == 202
    shown = described(response)
    assert (shown["status"], shown["cancel_requested"]) == (Status.PROCESSING, True)


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.CANCELLED])
def test_an_ended_task_cannot_be_cancelled(api: APIClient, status: str) -> None:
    assert is_conflict(post(api, path(make_task(status))), status)


def test_an_unknown_task_is_not_found(api: APIClient) -> None:
    response = post(api, f"/api/v1/tasks/{uuid7()}/cancel")
    assert response.status_code == 404
    described(response)


def test_a_get_of_the_cancel_route_is_not_allowed(api: APIClient) -> None:
    response = api.get(path(make_task()))
    assert response.status_code == 405
    assert "POST" in response["Allow"]
