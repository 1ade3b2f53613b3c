"""R01, small: workers are killed under load, and nothing is lost or doubled."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest
from django.db.models import Count

from tasks import lifecycle
from tasks.lifecycle.preparation import prepare
from tasks.models import Outcome, Status, Task
from tasks.models.attempt import history_of
from tests.queue_rows import jobs
from tests.script.models import Effect
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

TASKS = 2_000
KILLS = 5


def test_two_thousand_tasks_survive_workers_killed_every_few_seconds(worker):
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    command = worker(processes=4, concurrency=4)
    lifecycle.submit_many([prepare("test.effect", {"seconds": 0.1}) for _ in range(TASKS)])
    for _ in range(KILLS):
        done = Task.objects.filter(status=Status.COMPLETED).count()
        goal = min(done + TASKS // (KILLS + 3), TASKS)
        wait_until(lambda goal=goal: _completed() >= goal, what=f"progress, seed {seed}")
        os.kill(dice.choice(command.pids()), signal.SIGKILL)
    killed_at = time.monotonic()
    wait_until(lambda: _completed() == TASKS, within=60, what=f"all completed, seed {seed}")
    assert time.monotonic() - killed_at < 30
    doubled = Effect.objects.values("task_id").annotate(n=Count("id")).filter(n__gt=1)
    assert not doubled.exists(), f"seed {seed}"
    assert Effect.objects.count() == TASKS
    assert jobs() == []


def test_a_task_that_kills_its_process_ends_after_three_runs_and_harms_no_neighbour(worker):
    poison = lifecycle.submit("test.script", {"do": "die"}, max_attempts=9)
    neighbours = lifecycle.submit_many([prepare("test.script") for _ in range(300)])
    worker()
    wait_until(lambda: Task.objects.get(pk=poison.pk).is_terminal, within=60, what="ended")
    wait_until(lambda: not Task.objects.filter(status=Status.PROCESSING).exists(), what="idle")
    poison.refresh_from_db()
    assert (poison.status, poison.error["type"]) == (Status.FAILED, "Crashed")
    assert [attempt.outcome for attempt in history_of(poison)] == [
        Outcome.LOST,
        Outcome.CRASHED,
        Outcome.CRASHED,
    ]
    assert neighbours.tasks.filter(status=Status.COMPLETED).count() == 300


def _completed() -> int:
    return Task.objects.filter(status=Status.COMPLETED).count()
