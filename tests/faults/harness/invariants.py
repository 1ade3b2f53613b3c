"""I1 to I6 as questions to the database: each answers with what broke it, or with nothing."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

from tasks import kinds
from tests.faults.harness.queries import Queries

DOUBLED: LiteralString = """
    SELECT coalesce(sum(times - 1), 0)::bigint FROM (
        SELECT count(*) AS times FROM script_effect AS effect
        JOIN tasks_task AS task ON task.id = effect.task_id
        WHERE task.kind = ANY (%(transactional)s)
        GROUP BY effect.task_id
    ) AS counted
"""

# What the history calls clobbers, see there.
CLOBBERS: LiteralString = "SELECT count(*) FROM faults_history WHERE clobber"

# Must hold at every moment; each statement returns offenders: (what, how many).
ALWAYS: dict[str, LiteralString] = {
    "I2 an effect of a transactional task came again": DOUBLED,
    "I2 a transactional task completed without its effect, or has one uncompleted": """
        SELECT count(*) FROM tasks_task AS task
        WHERE task.kind = ANY (%(transactional)s)
            AND (status = 'COMPLETED')
                <> EXISTS (SELECT FROM script_effect AS effect WHERE effect.task_id = task.id)
    """,
    "I3 a task that had ended was written": CLOBBERS,
    "I3 a task took a way that is not allowed": """
        SELECT count(*) FROM faults_history
        WHERE was IS DISTINCT FROM became AND (coalesce(was, '-'), became) NOT IN (
            ('-', 'PENDING'), ('PENDING', 'PROCESSING'), ('PENDING', 'CANCELLED'),
            ('PROCESSING', 'COMPLETED'), ('PROCESSING', 'FAILED'), ('PROCESSING', 'CANCELLED'),
            ('PROCESSING', 'PENDING'), ('FAILED', 'PENDING'), ('CANCELLED', 'PENDING')
        )
    """,
    "I4 two claims under one lease, or a lease that fell": """
        SELECT count(*) FROM (
            SELECT became, lease, lag(lease) OVER (PARTITION BY task_id ORDER BY id) AS before
            FROM faults_history
        ) AS step
        WHERE lease < before OR (became = 'PROCESSING' AND lease <= before)
    """,
    "I4 an attempt was ended under a lease that was not its own": """
        SELECT count(*) FROM (
            SELECT was, lease, lag(lease) OVER (PARTITION BY task_id ORDER BY id) AS before
            FROM faults_history
        ) AS step
        WHERE was = 'PROCESSING' AND lease <> before
    """,
    "I6 more attempts than allowed": """
        SELECT count(*) FROM tasks_task
        WHERE attempt > max_attempts OR losses > 10 OR crashes > 3
    """,
    "I6 a crash or a loss that was not counted": """
        SELECT count(*) FROM (
            SELECT task.id FROM tasks_task AS task
            JOIN tasks_attempt AS attempt ON attempt.task_id = task.id
            GROUP BY task.id
            HAVING count(*) FILTER (WHERE outcome = 'crashed') < task.crashes
                OR count(*) FILTER (WHERE outcome = 'lost') < task.losses
        ) AS uncounted
    """,
}

# Must hold when the row is over and its tasks have ended.
AT_THE_END: dict[str, LiteralString] = {
    "I1 an accepted task does not exist": """
        SELECT count(*) FROM unnest(%(accepted)s::uuid[]) AS accepted (id)
        WHERE NOT EXISTS (SELECT FROM tasks_task AS task WHERE task.id = accepted.id)
    """,
    "I1 an accepted task has not ended": """
        SELECT count(*) FROM tasks_task
        WHERE id = ANY (%(accepted)s) AND status IN ('PENDING', 'PROCESSING')
    """,
    "I5 a task is held by a worker that is gone": """
        SELECT count(*) FROM tasks_task AS task
        LEFT JOIN tasks_worker AS worker ON worker.id = task.worker_id
        WHERE task.status = 'PROCESSING' AND (
            worker.id IS NULL OR worker.heartbeat_at < clock_timestamp() - interval '30 s'
        )
    """,
    "I5 a job that no living task names, or a living task without its job": """
        SELECT count(*) FROM procrastinate_jobs AS job
        FULL JOIN (
            SELECT job_id FROM tasks_task WHERE job_id IS NOT NULL
        ) AS task ON task.job_id = job.id
        WHERE job.id IS NULL OR task.job_id IS NULL
    """,
    "I5 a session sits idle in a transaction": """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND state LIKE 'idle in transaction%%'
            AND state_change < clock_timestamp() - interval '5 s'
    """,
}


def broken_now(queries: Queries) -> list[str]:
    """Return what is broken that must hold at every moment."""
    return _broken(queries, ALWAYS, _transactional())


def doubled(queries: Queries) -> int:
    """Return how many effects of transactional tasks came more than once."""
    return int(queries.value(DOUBLED, _transactional()))


def clobbers(queries: Queries) -> int:
    """Return how many writes changed a task that had ended, other than retries."""
    return int(queries.value(CLOBBERS))


def broken_at_the_end(queries: Queries, accepted: Sequence[uuid.UUID]) -> list[str]:
    """Return what is broken that must hold once everything has ended."""
    return broken_now(queries) + _broken(queries, AT_THE_END, {"accepted": list(accepted)})


def _transactional() -> dict[str, list[str]]:
    names = [kind.name for kind in kinds.all_kinds().values() if kind.transactional]
    return {"transactional": names}


def _broken(
    queries: Queries, statements: dict[str, LiteralString], wanted: Mapping[str, Any]
) -> list[str]:
    counted = ((what, queries.value(statement, wanted)) for what, statement in statements.items())
    return [f"{what}: {count}" for what, count in counted if count]
