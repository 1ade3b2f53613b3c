"""Counts of a killed worker: what it counted before its last renewal is kept, the rest is lost."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from tasks import lifecycle
from tasks.counts import ATTEMPTS, ENDED
from tasks.lifecycle.preparation import prepare
from tasks.models import MetricSum, Status, Task
from tasks.stats import queues_status
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_killed_worker_loses_only_what_it_counted_since_its_last_renewal(worker: Any) -> None:
    command = worker()
    _run(50)
    wait_until(lambda: _counted(ENDED.name, "COMPLETED") == 50, what="the counts are stored")
    _run(30)
    (pid,) = command.pids()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: command.pids() not in ([], [pid]), what="another process")
    _run(20)
    # A process that is asked to stop loses nothing.
    command.end()
    for name, label in ((ENDED.name, "COMPLETED"), (ATTEMPTS.name, "completed")):
        # A renewal between the ends and the kill keeps some, or all, of the thirty.
        assert 70 <= _counted(name, label) <= 100
    # Exact, because it is counted in the table of tasks.
    assert queues_status().states[Status.COMPLETED] == 100


def _run(count: int) -> None:
    ended = Task.objects.filter(status=Status.COMPLETED)
    before = ended.count()
    lifecycle.submit_many([prepare("test.script") for _ in range(count)])
    wait_until(lambda: ended.count() == before + count, what="all ended")


def _counted(name: str, label: str) -> float:
    sums = MetricSum.objects.filter(name=name, labels=["default", "test.script", label])
    return sum(row.numbers[0] for row in sums)
