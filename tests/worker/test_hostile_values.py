"""Values that the engine cannot store: each costs its own attempt, and nothing else."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client

import tasks
from tasks import lifecycle
from tasks.lifecycle.preparation import prepare
from tasks.models import Attempt, Status, Task
from tasks.models.attempt import history_of
from tests.script.hostile import HOSTILE, UNUSUAL
from tests.script.models import Effect
from tests.waiting import wait_until
from tests.workers import is_idle

pytestmark = pytest.mark.django_db(transaction=True)

NEIGHBOURS = 40


@pytest.mark.parametrize("place", ["thread", "process", "transactional"])
def test_a_value_that_cannot_be_stored_costs_its_own_attempt_only(worker, client, place):
    command = worker(concurrency=4, RESULT_MAX_BYTES="1000000")
    command.wait_until_registered()
    pids = command.pids()
    stated = {
        name: tasks.submit(f"test.hostile.{place}", {"states": name})
        for name in (*HOSTILE, *UNUSUAL)
    }
    lifecycle.submit_many([prepare("test.script", {"value": n}) for n in range(NEIGHBOURS)])
    wait_until(lambda: command.must_run() and is_idle(), within=120, what="all have ended")

    for name, (_, text) in HOSTILE.items():
        task = Task.objects.get(pk=stated[name].pk)
        assert task.status == Status.FAILED, name
        assert text in task.error["detail"], name
        attempts = 1 if task.error["type"] == "FatalError" else 2
        assert [each.number for each in history_of(task)] == [*range(1, attempts + 1)], name
        runs = 0 if place == "transactional" else attempts
        assert Effect.objects.filter(task_id=task.pk).count() == runs, name
    for name in UNUSUAL:
        assert Task.objects.get(pk=stated[name].pk).status == Status.COMPLETED, name
    neighbours = Task.objects.filter(batch__isnull=False)
    assert set(neighbours.values_list("status", "attempt")) == {(Status.COMPLETED, 1)}
    assert not Attempt.objects.filter(task__in=neighbours).exists()
    assert command.pids() == pids
    _everything_can_be_read(client)


def _everything_can_be_read(client: Client) -> None:
    page = "/api/v1/tasks/?page_size=100"
    while page:
        answer = client.get(page)
        assert answer.status_code == 200
        for shown in answer.json()["results"]:
            assert client.get(f"/api/v1/tasks/{shown['task_id']}").status_code == 200
        page = answer.json()["next"]


def test_a_stored_number_that_is_too_large_to_read_does_not_end_the_worker(worker):
    with connection.cursor() as cursor:
        task = tasks.submit("test.script", {"value": 1})
        cursor.execute(
            "UPDATE tasks_task SET input = '{\"value\": 1e400}' WHERE id = %s", [task.pk]
        )
    neighbour = tasks.submit("test.script", {"value": 2})
    command = worker()
    pids = command.pids()
    wait_until(lambda: command.must_run() and is_idle(), what="both have ended")
    task.refresh_from_db()
    assert task.error["detail"].endswith("echo is NaN or infinity, which JSON does not have.")
    neighbour.refresh_from_db()
    assert neighbour.result == {"echo": 2}
    assert command.pids() == pids
