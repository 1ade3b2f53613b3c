"""Retry, cancel and delete by hand."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient
from uuid_utils.compat import uuid7

from tasks.models import Lane, Status, Task
from tests.api.described import described, post
from tests.factories import make_task
from tests.queue_rows import jobs

pytestmark = pytest.mark.django_db


def path(task: Task, verb: str = "") -> str:
    return f"/api/v1/tasks/{task.id}" + (f"/{verb}" if verb else "")


def is_conflict(response: Any, status: str) -> bool:
    problem = described(response)
    assert problem["type"] == "/problems/wrong-status"
    return response.status_code == 409 and status in problem["detail"]


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
@pytest.mark.parametrize("slash", ["", "/"])
def test_what_ended_badly_is_retried(api: APIClient, status: str, slash: str) -> None:
    task = make_task(status)
    response = post(api, path(task, "retry") + slash)
    assert response.status_code == 202
    assert response["Location"] == path(task)
    shown = response.json()
    assert (shown["status"], shown["lane"]) == (Status.PENDING, Lane.RETRY)
    assert [job.task_id for job in jobs()] == [str(task.id)]


@pytest.mark.parametrize("status", [Status.PENDING, Status.PROCESSING, Status.COMPLETED])
def test_what_goes_on_or_ended_well_is_not_retried(api: APIClient, status: str) -> None:
    assert is_conflict(post(api, path(make_task(status), "retry")), status)


def test_what_waits_is_cancelled_at_once(api: APIClient) -> None:
    task = make_task()
    response = post(api, path(task, "cancel"))
    assert response.status_code == 200
    shown = described(response)
    assert (shown["status"], shown["cancel_requested"]) == (Status.CANCELLED, True)
    assert shown["finished_at"]
    assert jobs() == []


def test_what_runs_is_asked_to_stop(api: APIClient) -> None:
    response = post(api, path(make_task(Status.PROCESSING), "cancel"))
    assert response.status_code == 202
    shown = described(response)
    assert (shown["status"], shown["cancel_requested"]) == (Status.PROCESSING, True)


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.CANCELLED])
def test_what_has_ended_is_not_cancelled(api: APIClient, status: str) -> None:
    assert is_conflict(post(api, path(make_task(status), "cancel")), status)


@pytest.mark.parametrize(
    "status", [Status.PENDING, Status.COMPLETED, Status.FAILED, Status.CANCELLED]
)
def test_a_task_is_deleted_with_its_job(api: APIClient, status: str) -> None:
    task = make_task(status)
    response = api.delete(path(task))
    assert (response.status_code, response.content) == (204, b"")
    assert not Task.objects.exists()
    assert jobs() == []
    assert api.delete(path(task)).status_code == 404


def test_a_running_task_is_not_deleted(api: APIClient) -> None:
    task = make_task(Status.PROCESSING)
    assert is_conflict(api.delete(path(task)), Status.PROCESSING)
    assert Task.objects.filter(pk=task.pk).exists()


@pytest.mark.parametrize("verb", ["retry", "cancel"])
def test_an_unknown_task_is_not_moved(api: APIClient, verb: str) -> None:
    response = post(api, f"/api/v1/tasks/{uuid7()}/{verb}")
    assert response.status_code == 404
    described(response)


def test_moving_is_not_a_thing_to_get(api: APIClient) -> None:
    response = api.get(path(make_task(), "cancel"))
    assert (response.status_code, response["Allow"]) == (405, "POST, OPTIONS")
