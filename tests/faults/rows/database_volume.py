"""Large tables: R35, R36."""

from __future__ import annotations

import time
from typing import LiteralString

from tasks.lifecycle.preparation import prepare
from tasks.models import Status
from tests.faults.harness.durations import Durations, percentile
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.waiting import wait_until

STATEMENT_LIMIT = 200.0
CLAIM_LIMIT = 20.0
# Inserted with the ledger's triggers off: these rows are not part of the run.
FINISHED = """
    INSERT INTO tasks_task (
        id, kind, queue, priority, status, input, result, metadata, attempt, max_attempts, lease,
        losses, crashes, progress, progress_message, cancel_requested, created_at, started_at,
        finished_at
    )
    SELECT gen_random_uuid(), 'test.script', 'default', 0, 'COMPLETED', '{}', '{}', '{}', 1, 4, 1,
        0, 0, 100, '', false, now(), now(), now()
    FROM generate_series(1, 300000)
"""
SCHEDULED = """
    WITH new AS (
        INSERT INTO tasks_task (
            id, kind, queue, priority, status, input, metadata, attempt, max_attempts, lease,
            losses, crashes, progress, progress_message, cancel_requested, created_at,
            scheduled_at, job_id
        )
        SELECT gen_random_uuid(), 'test.script', 'default', n %% 3, 'PENDING', '{}', '{}', 0, 4, 0,
            0, 0, 0, '', false, now(), now() + interval '1 day' + n * interval '1 s',
            nextval('procrastinate_jobs_id_seq')
        FROM generate_series(1, 200000) AS n
        RETURNING id, priority, scheduled_at, job_id
    )
    INSERT INTO procrastinate_jobs (id, queue_name, task_name, priority, args, scheduled_at)
    SELECT job_id, 'default', 'task:test.script', priority, jsonb_build_object('task_id', id),
        scheduled_at
    FROM new
"""


@row(
    "R35",
    title="a worker that finished 300,000 tasks and holds 200 dies; its row is deleted",
    promise="no long lock",
    target="longest statement ≤ 200 ms",
)
def rich_worker(system: System, dice: Dice) -> Measured:
    """Kill it, and wait until its tasks are rescued and its row is deleted."""
    _write(system, FINISHED)
    durations = Durations(system)
    file = system.directory / "go on"
    workers = system.workers(concurrency=200)
    submissions = [prepare("test.plain_effect", {"file": str(file)}) for _ in range(200)]
    system.submit(submissions)
    wait_until(lambda: system.count(Status.PROCESSING) == 200, what="200 run")
    (worker,) = workers.registered()
    system.queries.rows(
        "UPDATE tasks_worker SET processed = 300000 WHERE id = %(id)s", {"id": worker.id}
    )
    durations.restart()
    system.kill(worker)
    file.touch()
    system.wait_until_ended(within=90)
    system.queries.rows(
        "UPDATE tasks_worker SET heartbeat_at = now() - interval '1 h' WHERE id = %(id)s",
        {"id": worker.id},
    )
    wait_until(
        lambda: (
            not system.queries.rows("SELECT FROM tasks_worker WHERE id = %(id)s", {"id": worker.id})
        ),
        within=60,
        what="row deleted",
    )
    # Any worker may delete the row; the statement is logged when it commits.
    wait_until(lambda: durations.of("deregister"), within=10, what="deletion logged")
    ms, name = durations.longest()
    rescues, deletions = durations.of("rescue"), durations.of("deregister")
    return Measured(
        f"longest statement {ms:.0f} ms ({name}); rescue of 200 {max(rescues):.0f} ms, deletion of "
        f"its row {max(deletions):.0f} ms; {system.recovery()}",
        met=ms <= STATEMENT_LIMIT,
    )


@row(
    "R36",
    title="200,000 tasks scheduled for later, and 5,000 ready ones",
    promise="claiming stays fast",
    target="claim p95 ≤ 20 ms",
)
def many_scheduled(system: System, dice: Dice) -> Measured:
    """Run the ready ones past the scheduled ones."""
    _write(system, SCHEDULED)
    durations = Durations(system)
    workers = system.workers(processes=2)
    durations.restart()
    began = time.monotonic()
    ids: list[object] = []
    while len(ids) < 5_000:
        ids += system.submit([prepare("test.script", {"value": 1}) for _ in range(50)])
    wait_until(lambda: system.count(Status.COMPLETED) == len(ids), within=120, what="ready ones")
    took = time.monotonic() - began
    claims, lanes = durations.of("claim"), durations.of("lanes")
    reconciles = durations.of("reconcile")
    p95 = percentile(claims, 95)
    # They would never end. Without workers no reconciler replaces the deleted jobs.
    workers.end()
    system.queries.rows("TRUNCATE procrastinate_jobs CASCADE")
    system.queries.rows("DELETE FROM tasks_task WHERE status = 'PENDING'")
    return Measured(
        f"claim p95 {p95:.1f} ms of {len(claims):,} (longest {max(claims):.0f} ms), {len(ids):,} "
        f"tasks in {took:.0f} s; counting lanes p95 {percentile(lanes, 95):.1f} ms, reconciling "
        f"{f'{max(reconciles):.0f} ms' if reconciles else 'did not happen meanwhile'}",
        met=p95 <= CLAIM_LIMIT,
    )


def _write(system: System, statement: LiteralString) -> None:
    system.queries.rows("ALTER TABLE tasks_task DISABLE TRIGGER USER")
    system.queries.rows(statement, {})
    system.queries.rows("ALTER TABLE tasks_task ENABLE TRIGGER USER")
    system.queries.rows("ANALYZE tasks_task")
    system.queries.rows("ANALYZE procrastinate_jobs")
