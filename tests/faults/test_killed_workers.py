"""R01, small: workers are killed under load, and nothing is lost or doubled."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest
from django.db.models import Count

from tasks import lifecycle
from tasks.models import Status, Task
from tasks.submission import Submission
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
    lifecycle.submit_many([Submission.of("test.effect", {"seconds": 0.1}) for _ in range(TASKS)])
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


def test_a_task_that_kills_its_worker_ends_in_the_dead_letter_queue(worker):
    lifecycle.submit("test.script", {"do": "die"}, max_attempts=1)
    worker()
    task = wait_until(
        lambda: Task.objects.filter(status=Status.FAILED).first(), within=30, what="failed"
    )
    assert (task.attempt, task.error["type"]) == (1, "WorkerLost")


def _completed() -> int:
    return Task.objects.filter(status=Status.COMPLETED).count()
