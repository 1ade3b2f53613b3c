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
def test_what_ended_badly_is_queued_again(api: APIClient, status: str, slash: str) -> None:
    task = make_task(status)
    response = post(api, path(task) + slash)
    assert response.status_code == 202
    assert response["Location"] == f"/api/v1/tasks/{task.id}"
    shown = response.json()
    assert (shown["status"], shown["lane"]) == (Status.PENDING, Lane.RETRY)
    assert [job.task_id for job in jobs()] == [str(task.id)]


def test_one_more_attempt_is_granted(api: APIClient) -> None:
    shown = described(post(api, path(make_task(Status.FAILED, attempt=3))))
    assert (shown["attempt"], shown["retry_count"], shown["max_attempts"]) == (3, 2, 4)


@pytest.mark.parametrize("status", [Status.PENDING, Status.PROCESSING, Status.COMPLETED])
def test_what_goes_on_or_ended_well_is_not(api: APIClient, status: str) -> None:
    assert is_conflict(post(api, path(make_task(status))), status)


def test_an_unknown_task_is_not_found(api: APIClient) -> None:
    response = post(api, f"/api/v1/tasks/{uuid7()}/retry")
    assert response.status_code == 404
    described(response)
