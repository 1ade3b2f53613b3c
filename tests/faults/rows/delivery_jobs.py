"""Wake-up jobs: repeated, deleted, or from rolled-back transactions: R38 to R40."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg
from django.db import transaction

from tasks import lifecycle
from tasks.lifecycle.preparation import prepare
from tasks.models import Status, Task
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.script.models import Effect
from tests.waiting import wait_until

TASKS = 500
COPIES = 5
# What procrastinate's own defer() writes: the same wake-up once more.
DEFER = """
    SELECT procrastinate_defer_jobs_v1(ARRAY[
        ROW('default', 'task:test.effect', 0, NULL, NULL, %(args)s::jsonb, NULL)
            ::procrastinate_job_to_defer_v1
    ])
"""
STARTS = """
    SELECT count(*) FROM faults_history WHERE was = 'PENDING' AND became = 'PROCESSING'
"""
JOBLESS = """
    SELECT count(*) FROM tasks_task AS task
    WHERE status = 'PENDING'
        AND NOT EXISTS (SELECT FROM procrastinate_jobs AS job WHERE job.id = task.job_id)
"""
RECONCILE_LIMIT = 15.0
ROLLBACKS = 1_000


@row(
    "R38",
    title=f"the wake-up of each of {TASKS} tasks is deferred {COPIES} times more, in parallel",
    promise="one effect",
    target="doubled 0, second starts 0",
    limit=180,
)
def repeated_wake_ups(system: System, dice: Dice) -> Measured:
    """Defer the same wake-ups from five sessions while four workers take them."""
    system.workers(processes=4, concurrency=4)
    inputs = [{"seconds": dice.choice([0, 0.02, 0.1])} for _ in range(TASKS)]
    ids = system.submit([prepare("test.effect", input) for input in inputs])

    def defer_again(order: list[uuid.UUID]) -> None:
        with psycopg.connect(system.server.url, autocommit=True) as session:
            for task_id in order:
                session.execute(DEFER, {"args": f'{{"task_id": "{task_id}"}}'})

    with ThreadPoolExecutor(COPIES) as sessions:
        list(sessions.map(defer_again, [dice.sample(ids, TASKS) for _ in range(COPIES)]))
    system.wait_until_ended(within=90)
    wait_until(lambda: not _jobs(system), within=30, what="no job is left")
    starts, effects = int(system.queries.value(STARTS)), Effect.objects.count()
    return Measured(
        f"{TASKS * COPIES:,} more wake-ups: {effects - TASKS} effects doubled, "
        f"{starts - TASKS} second starts, {_jobs(system)} jobs left",
        met=effects == starts == TASKS,
    )


@row(
    "R39",
    title="the jobs of 1,000 queued tasks are deleted by hand",
    promise="the reconciler defers them again",
    target="≤ 15 s",
    limit=180,
)
def deleted_jobs(system: System, dice: Dice) -> Measured:
    """Delete jobs at five moments of the reconciler's round; the queue is paused meanwhile."""
    system.workers(processes=2, concurrency=4)
    lifecycle.pause_queue("default")
    system.submit([prepare("test.effect") for _ in range(1_000)])
    waits = []
    for _ in range(2 if system.quick else 5):
        time.sleep(dice.uniform(0, 10))
        system.queries.rows("DELETE FROM procrastinate_jobs")
        deleted_at = time.monotonic()
        wait_until(lambda: not system.queries.value(JOBLESS), within=60, what="deferred again")
        waits.append(time.monotonic() - deleted_at)
    lifecycle.resume_queue("default")
    system.wait_until_ended(within=60)
    return Measured(
        f"deferred again after {', '.join(f'{wait:.1f}' for wait in sorted(waits))} s; "
        f"{Effect.objects.count():,} effects of 1,000 tasks",
        met=max(waits) <= RECONCILE_LIMIT and Effect.objects.count() == 1_000,
    )


@row(
    "R40",
    title=f"rollback after submit, {ROLLBACKS:,} times in web code and in handlers",
    promise="no task or job remains",
    target="tasks and jobs left 0",
    limit=180,
)
def rollbacks_after_submit(system: System, dice: Dice) -> Measured:
    """Submit in transactions that roll back, outside and inside a worker."""
    system.workers(processes=2, concurrency=4)
    for number in range(ROLLBACKS):
        with transaction.atomic():
            lifecycle.submit("test.script", {"value": f"web {number}"})
            transaction.set_rollback(True)
    inputs = [{"do": "submit and roll back", "value": f"handler {n}"} for n in range(ROLLBACKS)]
    ids = system.submit([prepare("test.script", input) for input in inputs])
    system.wait_until_ended(within=120)
    remaining = Task.objects.exclude(pk__in=ids).count()
    completed = system.count(Status.COMPLETED)
    return Measured(
        f"{remaining} tasks and {_jobs(system)} jobs of {2 * ROLLBACKS:,} rollbacks; "
        f"{completed:,} of the {ROLLBACKS:,} tasks that rolled one back completed",
        met=remaining == 0 and _jobs(system) == 0 and completed == ROLLBACKS,
    )


def _jobs(system: System) -> int:
    return int(system.queries.value("SELECT count(*) FROM procrastinate_jobs"))
