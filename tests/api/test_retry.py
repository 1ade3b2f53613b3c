from __future__ import annotations

import pytest
from rest_framework.test import APIClient
from uuid_utils.compat import uuid7

from tasks.models import Lane, Status, Task
from tests.api.described import described, is_conflict, post
from tests.factories import make_task
from tests.queue_rows import jobs

pytestmark = pytest.mark.django_db


def path(task: Task) -> str:
    return f"/api/v1/tasks/{task.id}/retry"


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_failed_or_cancelled_task_is_queued_again(
    api: APIClient, status: str, slash: str
) -> None:
    task = make_task(status)
    response = post(api, path(task) + slash)
    assert response.status_code == 202
    assert response["Location"] == f"/api/v1/tasks/{task.id}"
    shown = response.json()
    assert (shown["status"], shown["lane"]) == (Status.PENDING, Lane.RETRY)
    assert [job.task_id for job in jobs()] == [str(task.id)]


def test_a_retry_of_a_task_without_attempts_left_grants_one_more(api: APIClient) -> None:
    shown = described(post(api, path(make_task(Status.FAILED, attempt=3))))
    assert (shown["attempt"], shown["retry_count"], shown["max_attempts"]) == (3, 2, 4)


@pytest.mark.parametrize("status", [Status.PENDING, Status.PROCESSING, Status.COMPLETED])
def test_a_waiting_running_or_completed_task_cannot_be_retried(api: APIClient, status: str) -> None:
    assert is_conflict(post(api, path(make_task(status))), status)


def test_an_unknown_task_is_not_found(api: APIClient) -> None:
    response = post(api, f"/api/v1/tasks/{uuid7()}/retry")
    assert response.status_code == 404
    described(response)
