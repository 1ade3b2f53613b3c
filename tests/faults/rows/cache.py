"""Results that are used again, under kills: F08."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import LiteralString

from django.contrib.auth.models import User

import tasks
from tasks import lifecycle
from tasks.lifecycle.preparation import prepare
from tasks.models import Status
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.waiting import wait_until

TWINS = 100

# How often handlers of each owner and input completed.
RUNS: LiteralString = """
    SELECT max(runs), min(runs), count(*) FROM (
        SELECT count(*) FILTER (WHERE status = 'COMPLETED' AND cached_from IS NULL) AS runs
        FROM tasks_task
        WHERE kind = %(kind)s AND input ->> 'do' IS NULL
        GROUP BY owner_id, input
    ) AS inputs
"""
WRONG: LiteralString = """
    SELECT count(*) FROM tasks_task AS task
    LEFT JOIN tasks_task AS source ON source.id = task.cached_from
    WHERE task.cached_from IS NOT NULL
        AND (
            source.owner_id IS DISTINCT FROM task.owner_id
            OR source.input <> task.input
            OR source.result <> task.result
            OR source.status <> 'COMPLETED'
        )
"""
RUNNING: LiteralString = (
    "SELECT worker_id FROM tasks_task WHERE status = 'PROCESSING' AND kind = 'test.cached'"
)


@row(
    "F08",
    title=f"{TWINS} twins at once of two owners, each of 20 inputs; a worker is killed while it"
    " works on one; inputs that fail; results that have expired",
    promise="one run, none shared across owners",
    target="runs of each owner and input 1; no failure is used again; after the expiry 1 more",
    limit=900,
)
def cache(system: System, dice: Dice) -> Measured:
    """Submit the same inputs many times, and kill the worker that works on one."""
    inputs = 3 if system.quick else 20
    owners = [User.objects.create_user(name) for name in ("ann", "bob")]
    workers = system.workers(processes=3, concurrency=4)
    kills = 0
    for number in range(inputs):
        for owner in owners:
            new = [prepare("test.cached", {"value": number, "seconds": 0.5}) for _ in range(TWINS)]
            lifecycle.submit_many(new, owner=owner)
        worker_id = wait_until(
            lambda: system.queries.value(f"{RUNNING} LIMIT 1"), within=30, what="one works"
        )
        for registered in workers.registered():
            if registered.id == worker_id:
                system.kill(registered)
                kills += 1
        system.wait_until_ended(within=120)
    most, least, groups = system.queries.rows(RUNS, {"kind": "test.cached"})[0]
    wrong = system.queries.value(WRONG)
    failing = [tasks.submit("test.cached", {"do": "fail"}, owner=owners[0]) for _ in range(5)]
    system.wait_until_ended(within=60)
    failed = sum(system.task(task.pk).status == Status.FAILED for task in failing)
    again = _runs_after_expiry(system, owners)
    return Measured(
        f"{groups} owners and inputs × {TWINS}: {least} to {most} runs each, {kills} kills of those"
        f" that worked; {wrong} results of others; {failed} of {len(failing)} failures ran; after"
        f" the expiry of a result {again} runs instead of 1",
        met=most == least == 1
        and groups == 2 * inputs
        and kills >= inputs // 2
        and wrong == 0
        and failed == len(failing)
        and again == 2,
    )


def _runs_after_expiry(system: System, owners: Sequence[User]) -> int:
    """Submit twins, and more when their result has expired; return how often one input ran."""
    for _ in range(2):
        for owner in owners:
            new = [prepare("test.cached_briefly", {}) for _ in range(TWINS)]
            lifecycle.submit_many(new, owner=owner)
        system.wait_until_ended(within=60)
        # Longer than the result is used.
        time.sleep(1.2)
    most, least, _ = system.queries.rows(RUNS, {"kind": "test.cached_briefly"})[0]
    return int(most) if most == least else 0
