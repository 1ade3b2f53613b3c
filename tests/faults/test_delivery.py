"""R38, R39, R43, R44, small: extra and missing wake-ups; cancelling and retrying running tasks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from tasks import lifecycle
from tasks.errors import WrongStatus
from tasks.lifecycle.preparation import prepare
from tasks.models import Status, Task
from tests.queue_rows import execute, jobs
from tests.script.models import Effect
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

ENDED = (Status.COMPLETED, Status.CANCELLED)
COPY_JOBS = """
    INSERT INTO procrastinate_jobs (queue_name, task_name, args)
    SELECT queue, 'task:' || kind, jsonb_build_object('task_id', id) FROM tasks_task
"""


def test_a_wake_up_deferred_five_times_in_parallel_has_one_effect(worker):
    worker(processes=2)
    lifecycle.submit_many([prepare("test.effect", {"seconds": 0.05}) for _ in range(100)])
    with ThreadPoolExecutor(5) as sessions:
        list(sessions.map(_defer_again, range(5)))
    wait_until(lambda: _count(Status.COMPLETED) == 100, what="all completed")
    wait_until(lambda: not jobs(), what="the extra jobs are gone")
    assert Effect.objects.count() == 100
    assert set(Task.objects.values_list("claim_number", flat=True)) == {1}


def test_a_queued_task_gets_a_new_job_and_runs_after_its_job_was_deleted(worker):
    lifecycle.submit_many([prepare("test.effect") for _ in range(10)])
    execute("DELETE FROM procrastinate_jobs")
    worker()
    wait_until(lambda: _count(Status.COMPLETED) == 10, within=20, what="all completed")
    assert Effect.objects.count() == 10


def test_a_task_ends_in_the_status_that_its_cancellation_reported(worker):
    worker(processes=2)
    reported = {}
    for _ in range(40):
        task = lifecycle.submit("test.effect", {"seconds": 0.02})
        try:
            reported[task.id] = lifecycle.cancel(task).status
        except WrongStatus as error:
            reported[task.id] = error.status
    wait_until(lambda: not Task.objects.exclude(status__in=ENDED).exists(), what="all ended")
    final = dict(Task.objects.values_list("id", "status"))
    for task_id, status in reported.items():
        assert status in (final[task_id], Status.PROCESSING)
    assert Effect.objects.count() == _count(Status.COMPLETED)


def test_a_running_task_is_not_retried(worker, tmp_path):
    file = tmp_path / "go on"
    task = lifecycle.submit("test.plain_effect", {"file": str(file)})
    worker()
    wait_until(lambda: Effect.objects.exists(), what="started")
    with pytest.raises(WrongStatus):
        lifecycle.retry(task)
    file.touch()
    wait_until(lambda: _count(Status.COMPLETED) == 1, what="completed")
    assert Effect.objects.count() == 1


def _count(status: Status) -> int:
    return Task.objects.filter(status=status).count()


def _defer_again(_: int) -> None:
    try:
        execute(COPY_JOBS)
    finally:
        connection.close()
