"""R38, R39, R43, R44, small: wake-ups too many and too few; cancel and retry of what runs."""

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
    wait_until(lambda: not jobs(), what="the deliveries after the first are gone")
    assert Effect.objects.count() == 100
    assert set(Task.objects.values_list("claim_number", flat=True)) == {1}


def test_a_queued_task_whose_job_was_deleted_is_found_and_run(worker):
    lifecycle.submit_many([prepare("test.effect") for _ in range(10)])
    execute("DELETE FROM procrastinate_jobs")
    worker()
    wait_until(lambda: _count(Status.COMPLETED) == 10, within=20, what="mended and run")
    assert Effect.objects.count() == 10


def test_what_is_said_about_a_cancellation_is_what_becomes_of_the_task(worker):
    worker(processes=2)
    told = {}
    for _ in range(40):
        task = lifecycle.submit("test.effect", {"seconds": 0.02})
        try:
            told[task.id] = lifecycle.cancel(task).status
        except WrongStatus as refused:
            told[task.id] = refused.status
    wait_until(lambda: not Task.objects.exclude(status__in=ENDED).exists(), what="all ended")
    became = dict(Task.objects.values_list("id", "status"))
    for task_id, said in told.items():
        assert said in (became[task_id], Status.PROCESSING)
    assert Effect.objects.count() == _count(Status.COMPLETED)


def test_a_task_that_runs_is_not_retried(worker, tmp_path):
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
