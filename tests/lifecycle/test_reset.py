from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command

import tasks
from tasks import lifecycle
from tasks.lifecycle.ending import completed
from tasks.lifecycle.preparation import prepare
from tasks.models import Attempt, Batch, Queue, Status, Task, Worker
from tests.factories import make_task, make_worker
from tests.lifecycle.claiming import claim, finish
from tests.queue_rows import execute, jobs

pytestmark = pytest.mark.django_db(transaction=True)


def reset(*options: str) -> str:
    shown = StringIO()
    call_command("reset", *options, stdout=shown)
    return shown.getvalue()


def make_everything() -> None:
    make_task(Status.FAILED)
    make_task(Status.COMPLETED)
    lifecycle.submit_many([prepare("test.script") for _ in range(3)])
    lifecycle.pause_queue("default")


def test_a_reset_without_confirmation_shows_counts_and_deletes_nothing() -> None:
    make_everything()
    shown = reset()
    for line in (
        "3  tasks PENDING",
        "1  tasks FAILED",
        "3  jobs",
        "1  batches",
        "0  workers alive",
    ):
        assert line in shown
    assert "Nothing was deleted" in shown
    assert Task.objects.count() == 5


def test_a_reset_with_confirmation_deletes_all_work() -> None:
    make_everything()
    make_worker()
    assert "0  tasks PENDING" in reset("--confirm").partition("deleted")[2]
    for model in (Task, Attempt, Batch, Queue):
        assert not model.objects.exists()
    assert jobs() == []
    assert Worker.objects.count() == 1
    tasks.submit("test.script")
    assert Task.objects.count() == 1


def test_a_worker_that_runs_a_task_during_a_reset_writes_nothing() -> None:
    tasks.submit("test.script")
    (claimed,) = claim(make_worker())
    lifecycle.reset()
    assert finish(completed(claimed, {"late": True})) == 0
    assert (Task.objects.count(), jobs()) == (0, [])


def test_a_reset_keeps_the_jobs_of_other_applications() -> None:
    execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
        " VALUES ('mail', 'shop.mail', '{}')"
    )
    lifecycle.reset()
    assert [job.queue for job in jobs()] == ["mail"]
