from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from tasks.models import Attempt, Status, Task
from tests.api.described import is_conflict
from tests.factories import make_task
from tests.queue_rows import jobs

pytestmark = pytest.mark.django_db


def path(task: Task) -> str:
    return f"/api/v1/tasks/{task.id}"


@pytest.mark.parametrize(
    "status", [Status.PENDING, Status.COMPLETED, Status.FAILED, Status.CANCELLED]
)
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_task_is_deleted_with_its_job_and_history(
    api: APIClient, status: str, slash: str
) -> None:
    task = make_task(status)
    response = api.delete(path(task) + slash)
    assert (response.status_code, response.content) == (204, b"")
    assert not Task.objects.exists()
    assert not Attempt.objects.exists()
    assert jobs() == []
    assert api.delete(path(task)).status_code == 404


def test_a_running_task_cannot_be_deleted(api: APIClient) -> None:
    task = make_task(Status.PROCESSING)
    assert is_conflict(api.delete(path(task)), Status.PROCESSING)
    assert Task.objects.filter(pk=task.pk).exists()
