"""A healthy system under load, with workers that are killed, has nothing to report."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from typing import Any

import pytest

from tasks import invariants, lifecycle
from tasks.models import Task
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

# What tasks do, by turns; the last holds its slot for a while.
WORK: list[tuple[str, dict[str, Any]]] = [
    ("test.script", {"do": "return"}),
    ("test.script", {"do": "raise once"}),
    ("test.script", {"do": "fatal"}),
    ("test.script", {"do": "follow up", "value": 1}),
    ("test.script", {"do": "cancel"}),
    ("test.cached", {"value": 1}),
    ("test.unique", {"account": 1}),
    ("test.effect", {"seconds": 0.3}),
]
TASKS = 300
KILLS = 2
CLOSED_PORT = "http://127.0.0.1:9/hook"


def test_nothing_is_reported_while_workers_run_and_are_killed(worker: Any, settings: Any) -> None:
    settings.CALLBACK_ALLOW_PRIVATE = True
    dice = random.Random(seed := random.randrange(2**32))
    command = worker(processes=3, concurrency=4)
    looks = 0
    for _ in range(KILLS):
        batch = lifecycle.submit_many([_prepared(n) for n in range(TASKS)])
        lifecycle.cancel_many(dice.sample(batch.task_ids(), 20))
        left = batch.tasks.filter(finished_at=None)
        looks += _check_until(lambda left=left: left.count() <= TASKS // 2, seed)
        os.kill(dice.choice(command.pids()), signal.SIGKILL)
        looks += _check_until(lambda left=left: not left.exists(), seed)
    assert looks > 10
    assert Task.objects.filter(attempts__outcome="lost").exists(), f"seed {seed}"


def _prepared(n: int) -> Any:
    kind, input = WORK[n % len(WORK)]
    return lifecycle.prepare(kind, input, callback_url=CLOSED_PORT if n % 10 == 0 else "")


def _check_until(is_over: Callable[[], bool], seed: int) -> int:
    """Look again and again, until a condition; return how often. Fail if a look finds anything."""
    looks = 0

    def look() -> bool:
        nonlocal looks
        looks += 1
        # Not even a first look may find anything: there is no wait for a second.
        report = invariants.verify(wait=lambda seconds: True)
        assert report is not None, f"a look found something, seed {seed}"
        assert report.is_clean, f"{report}, seed {seed}"
        return is_over()

    wait_until(look, within=90, what=f"progress, seed {seed}")
    return looks
