"""Follow-ups that are unique: written with the end of their attempt, or left out."""

from __future__ import annotations

from typing import Any

import pytest

import tasks
from tasks import lifecycle
from tasks.counts import SUBMITTED, counts
from tasks.kinds import Unique
from tasks.lifecycle.ending import completed
from tasks.lifecycle.preparation import prepare
from tasks.models import Status, Task
from tests.factories import make_worker
from tests.lifecycle.claiming import claim
from tests.queue_rows import jobs
from tests.waiting import wait_until

UNIQUE = {"key": "k", "while": "waiting"}
REPLACING = {**UNIQUE, "on_conflict": "replace"}


def follow_up(value: int, unique: dict[str, Any]) -> Task:
    options = {"unique": unique, "delay": 3600}
    return tasks.submit("test.script", {"do": "follow up", "value": value, "options": options})


def status(task: Task) -> str:
    return Task.objects.get(pk=task.pk).status


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("on_conflict", ["existing", "refuse"])
def test_follow_ups_of_many_attempts_make_one_task(worker, on_conflict) -> None:
    unique = {**UNIQUE, "on_conflict": on_conflict}
    parents = [follow_up(n, unique) for n in range(30)]
    worker()
    wait_until(lambda: {status(parent) for parent in parents} == {Status.COMPLETED})
    [waiting] = Task.objects.filter(status=Status.PENDING)
    assert [job.task_id for job in jobs()] == [str(waiting.pk)]


@pytest.mark.django_db(transaction=True)
def test_a_follow_up_replaces_the_task_that_waits(worker) -> None:
    existing = tasks.submit("test.script", {}, unique=REPLACING, delay=3600)
    parent = follow_up(7, REPLACING)
    worker()
    wait_until(lambda: status(parent) == Status.COMPLETED)
    [waiting] = Task.objects.filter(status=Status.PENDING)
    assert (waiting.pk, waiting.input) == (existing.pk, {"value": 7})
    assert waiting.scheduled_at > existing.scheduled_at
    [job] = jobs()
    assert job.id == waiting.job_id


@pytest.mark.django_db
def test_only_follow_ups_that_became_tasks_are_counted(django_capture_on_commit_callbacks) -> None:
    tasks.submit("test.script", {})
    [held] = claim(make_worker())
    new = tuple(prepare("test.limited", {"n": n}, unique=Unique(key="one")) for n in range(3))
    counts.take()
    with django_capture_on_commit_callbacks(execute=True):
        lifecycle.finish(completed(held, {}, new), worker="test:1")
    assert Task.objects.filter(kind="test.limited").count() == 1
    assert counts.take()[SUBMITTED.name, ("default", "test.limited")] == [1]
