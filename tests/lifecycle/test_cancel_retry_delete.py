from __future__ import annotations

import pytest

from tasks import lifecycle
from tasks.errors import TaskGone, WrongStatus
from tasks.models import Attempt, Status, Task
from tests.factories import make_task
from tests.queue_rows import job_of, jobs

pytestmark = pytest.mark.django_db


def test_a_waiting_task_is_cancelled_at_once_with_its_job():
    task = lifecycle.cancel(make_task())
    assert (task.status, task.cancel_requested, task.job_id) == (Status.CANCELLED, True, None)
    assert jobs() == []


def test_cancelling_a_running_task_requests_it_to_stop():
    task = lifecycle.cancel(make_task(Status.PROCESSING))
    assert (task.status, task.cancel_requested) == (Status.PROCESSING, True)


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.CANCELLED])
def test_an_ended_task_cannot_be_cancelled(status):
    task = make_task(status)
    with pytest.raises(WrongStatus):
        lifecycle.cancel(task)
    assert Task.objects.get().status == status


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
def test_a_retry_grants_at_least_one_more_attempt(status):
    task = lifecycle.retry(make_task(status, attempt=4, max_attempts=4))
    assert (task.status, task.attempt, task.max_attempts) == (Status.PENDING, 4, 5)
    assert (task.finished_at, task.cancel_requested) == (None, False)
    assert job_of(task).status == "todo"


@pytest.mark.parametrize("status", [Status.PENDING, Status.PROCESSING, Status.COMPLETED])
def test_only_failed_and_cancelled_tasks_are_retried(status):
    with pytest.raises(WrongStatus):
        lifecycle.retry(make_task(status))


@pytest.mark.parametrize(
    "status", [Status.PENDING, Status.COMPLETED, Status.FAILED, Status.CANCELLED]
)
def test_a_task_is_deleted_with_its_history_and_its_job(status):
    lifecycle.delete(make_task(status))
    assert not Task.objects.exists()
    assert not Attempt.objects.exists()
    assert jobs() == []


def test_a_running_task_is_not_deleted():
    with pytest.raises(WrongStatus):
        lifecycle.delete(make_task(Status.PROCESSING))
    assert Task.objects.exists()


def test_verbs_on_many_tasks_leave_those_of_other_statuses():
    ids = [make_task(status).id for status in Status]
    assert lifecycle.retry_many(ids) == 2
    assert lifecycle.cancel_many(ids) == 4
    assert lifecycle.delete_many(ids) == 4
    assert Task.objects.get().status == Status.PROCESSING


def test_cancelling_a_task_that_was_deleted_meanwhile_raises_task_gone():
    task = make_task()
    Task.objects.all().delete()
    with pytest.raises(TaskGone):
        lifecycle.cancel(task)
