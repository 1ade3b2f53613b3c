"""Fairness while one owner floods the queue: R45."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from django.contrib.auth.models import User

from tasks import lifecycle
from tasks.lifecycle.preparation import prepare
from tests.faults.harness.durations import percentile
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System

QUEUE = "default"
FLOOD = 50_000
CHUNK = 5_000
OTHERS = 100
EVERY = 0.05
LARGEST_FACTOR = 2.0
ALLOWANCE = 0.020
# From the submit to the first start.
WAITS = """
    SELECT extract(epoch FROM min(claim.at) - task.created_at)::float
    FROM tasks_task AS task
    JOIN faults_history AS claim ON claim.task_id = task.id AND claim.became = 'PROCESSING'
    WHERE task.id = ANY (%(ids)s)
    GROUP BY task.id
    ORDER BY 1
"""


@row(
    "R45",
    title="50,000 tasks of one owner; 50,000 of a high priority",
    promise="other owners make progress",
    target="p95 of the others' wait ≤ 2 × idle + 20 ms",
    limit=900,
)
def floods(system: System, dice: Dice) -> Measured:
    """Submit another owner's tasks: idle, behind a flood, and below a flood of high priority.

    The queue is paused while a flood is submitted, so that all of it waits when the others come.
    """
    size = FLOOD // 5 if system.quick else FLOOD
    system.workers(processes=2, concurrency=4)
    tenant, other = (User.objects.create_user(name) for name in ("tenant", "other"))
    _others(system, other)
    idle = _p95(system, _others(system, other))
    _flood(system, tenant, size, priority=0)
    behind = _p95(system, _others(system, other))
    _flood(system, tenant, size, priority=10)
    beneath = _p95(system, _others(system, other))
    return Measured(
        f"p95 of the wait {idle * 1000:.0f} ms idle, {behind * 1000:.0f} ms behind {size:,} tasks "
        f"of one owner, {beneath * 1000:.0f} ms under {size:,} of priority 10",
        met=max(behind, beneath) <= LARGEST_FACTOR * idle + ALLOWANCE,
    )


def _flood(system: System, owner: User, size: int, *, priority: int) -> None:
    lifecycle.pause_queue(QUEUE)
    for _ in range(size // CHUNK):
        flood = [prepare("test.pause", {"seconds": 0.001}, priority=priority) for _ in range(CHUNK)]
        lifecycle.submit_many(flood, owner=owner)
        system.accepted.add([submission.id for submission in flood])
    lifecycle.resume_queue(QUEUE)


def _others(system: System, owner: User) -> Sequence[uuid.UUID]:
    """Submit another owner's tasks one by one; return their ids."""
    ids = []
    for _ in range(OTHERS):
        task = lifecycle.submit("test.pause", {"seconds": 0.001}, owner=owner)
        ids.append(task.id)
        time.sleep(EVERY)
    system.accepted.add(ids)
    return ids


def _p95(system: System, ids: Sequence[uuid.UUID]) -> float:
    system.wait_until_ended(within=240)
    waits = [seconds for (seconds,) in system.queries.rows(WAITS, {"ids": list(ids)})]
    return percentile(waits, 95)
