"""Invariants I1 to I6: each is a statement that counts its violations."""

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

# Changes of ended tasks, marked by the trigger in `ledger`.
CLOBBERS: LiteralString = "SELECT count(*) FROM faults_history WHERE clobber"

# Jobs that no waiting task names, and waiting tasks without their job.
UNPAIRED: LiteralString = """
    SELECT count(*) FROM procrastinate_jobs AS job
    FULL JOIN (
        SELECT job_id FROM tasks_task WHERE status = 'PENDING'
    ) AS task ON task.job_id = job.id
    WHERE job.id IS NULL OR task.job_id IS NULL
"""

# Must hold at every moment; each statement returns the number of violations.
ALWAYS: dict[str, LiteralString] = {
    "I2 a transactional task has more than one effect": DOUBLED,
    "I2 a completed transactional task has no effect, or an uncompleted one has": """
        SELECT count(*) FROM tasks_task AS task
        WHERE task.kind = ANY (%(transactional)s)
            AND (status = 'COMPLETED')
                <> EXISTS (SELECT FROM script_effect AS effect WHERE effect.task_id = task.id)
    """,
    "I3 an ended task was changed": CLOBBERS,
    "I3 a status change is not allowed": """
        SELECT count(*) FROM faults_history
        WHERE was IS DISTINCT FROM became AND (coalesce(was, '-'), became) NOT IN (
            ('-', 'PENDING'), ('PENDING', 'PROCESSING'), ('PENDING', 'CANCELLED'),
            -- With the stored result of an earlier task, or of one that it waited for.
            ('-', 'COMPLETED'), ('PENDING', 'COMPLETED'),
            -- A task of a workflow whose input is not valid with the results that it names.
            ('PENDING', 'FAILED'),
            ('PROCESSING', 'COMPLETED'), ('PROCESSING', 'FAILED'), ('PROCESSING', 'CANCELLED'),
            ('PROCESSING', 'PENDING'), ('FAILED', 'PENDING'), ('CANCELLED', 'PENDING')
        )
    """,
    "I4 two claims have one claim number, or a claim number fell": """
        SELECT count(*) FROM (
            SELECT became, lease, lag(lease) OVER (PARTITION BY task_id ORDER BY id) AS before
            FROM faults_history
        ) AS step
        WHERE lease < before OR (became = 'PROCESSING' AND lease <= before)
    """,
    "I4 an attempt was ended under another claim's number": """
        SELECT count(*) FROM (
            SELECT was, lease, lag(lease) OVER (PARTITION BY task_id ORDER BY id) AS before
            FROM faults_history
        ) AS step
        WHERE was = 'PROCESSING' AND lease <> before
    """,
    "I4 more tasks of a limit run, or may start, than it allows": """
        SELECT count(*) FROM (
            SELECT key FROM tasks_permit WHERE released_at IS NULL GROUP BY key
            HAVING count(*) > (tasks_limit_in_force(key)).concurrent
        ) AS exceeded
    """,
    "I6 more attempts than allowed": """
        SELECT count(*) FROM tasks_task
        WHERE attempt > max_attempts OR losses > 10 OR crashes > 3
    """,
    "I6 a counted crash or loss has no attempt row": """
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
    "I5 a job that no waiting task names, or a waiting task without its job": UNPAIRED,
    "I5 a permit or a line is left": """
        SELECT (SELECT count(*) FROM tasks_permit WHERE released_at IS NULL)
            + (SELECT count(*) FROM tasks_line)
    """,
    "I5 a session is idle in a transaction": """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND state LIKE 'idle in transaction%%'
            AND state_change < clock_timestamp() - interval '5 s'
    """,
}


def broken_now(queries: Queries) -> list[str]:
    """Return the broken invariants that must hold at every moment."""
    return _broken(queries, ALWAYS, _transactional())


def doubled(queries: Queries) -> int:
    """Return how many effects of transactional tasks are duplicates."""
    return int(queries.value(DOUBLED, _transactional()))


def clobbers(queries: Queries) -> int:
    """Return how many writes, other than retries, changed an ended task."""
    return int(queries.value(CLOBBERS))


def broken_at_the_end(queries: Queries, accepted: Sequence[uuid.UUID]) -> list[str]:
    """Return all broken invariants, once every task has ended."""
    return broken_now(queries) + _broken(queries, AT_THE_END, {"accepted": list(accepted)})


def _transactional() -> dict[str, list[str]]:
    """Return the transactional kinds of the tests: only their effects are rows of one table."""
    transactional = (kind.name for kind in kinds.all_kinds().values() if kind.transactional)
    return {"transactional": [name for name in transactional if name.startswith("test.")]}


def _broken(
    queries: Queries, statements: dict[str, LiteralString], params: Mapping[str, Any]
) -> list[str]:
    counts = ((name, queries.value(statement, params)) for name, statement in statements.items())
    return [f"{name}: {count}" for name, count in counts if count]
