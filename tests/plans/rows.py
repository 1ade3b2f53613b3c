"""A million tasks that ended and a million that wait, each written by one statement."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg import sql

TABLES = ["tasks_task", "procrastinate_jobs"]
MILLION = 1_000_000
# Of a million that ended so many failed and so many were cancelled; of a million that wait so many
# were tried before and so many are scheduled for tomorrow.
PART = MILLION // 100
BATCH = 10_000
# The lanes of the queues in which jobs are due: default and its retry lane, and reports.
LANES = 3

# A version 7 UUID of the millisecond `ms`; among those of one millisecond `n` decides.
_ID = "encode(int8send((ms << 16) | 28672) || int8send(n | (-1::bigint << 63)), 'hex')::uuid"
_TIME = "to_timestamp(ms * 0.001::float8)"
_QUEUE = "CASE n %% 4 WHEN 0 THEN 'reports' ELSE 'default' END"
_PRIORITY = "CASE n %% 10 WHEN 0 THEN -10 ELSE 0 END"
_ATTEMPT = "(n %% 100 = 2)::integer"
_SCHEDULED = "CASE n %% 100 WHEN 3 THEN now() + interval '1 day' END"
# One owner has half of all tasks, another a hundredth; the rest was submitted anonymously.
_OWNER = """
    CASE
        WHEN n %% 10000 < 100 THEN %(few)s::integer
        WHEN n / 100 %% 2 = 0 THEN %(many)s::integer
    END
"""
_COMMON = f"""
    {_ID}, 'test.script', {_QUEUE}, {_OWNER}, CASE WHEN n <= {BATCH} THEN %(batch)s::uuid END,
    '{{"do": "return"}}', '{{}}', 4, 0, 0, '', false, {_TIME}
"""
_COLUMNS = """
    id, kind, queue, owner_id, batch_id, input, metadata, max_attempts, losses, crashes,
    progress_message, cancel_requested, created_at
"""
# They ended over the last 23 days, one every two seconds.
_ENDED = f"""
INSERT INTO tasks_task (
    {_COLUMNS}, priority, status, result, error, attempt, lease, progress, started_at, finished_at
)
SELECT
    {_COMMON}, 0,
    CASE n %% 100 WHEN 0 THEN 'FAILED' WHEN 1 THEN 'CANCELLED' ELSE 'COMPLETED' END,
    CASE WHEN n %% 100 > 1 THEN '{{"done": true}}'::jsonb END,
    CASE n %% 100 WHEN 0 THEN '{{"type": "ValueError", "title": "Value error"}}'::jsonb END,
    1, 1, 100, {_TIME}, {_TIME}
FROM (
    SELECT n, %(now)s - 60000 - 2000 * (%(count)s - n) AS ms
    FROM generate_series(1, %(count)s::bigint) AS n
) AS numbers
"""
# They were submitted within the last twenty minutes.
_NUMBERS = """
    SELECT n, %(now)s - (%(count)s - n) AS ms FROM generate_series(1, %(count)s::bigint) AS n
"""
_WAITING = f"""
INSERT INTO tasks_task (
    {_COLUMNS}, priority, status, attempt, lease, progress, scheduled_at, started_at, job_id
)
SELECT
    {_COMMON}, {_PRIORITY}, 'PENDING', {_ATTEMPT}, {_ATTEMPT}, 0, {_SCHEDULED},
    CASE WHEN {_ATTEMPT} > 0 THEN {_TIME} END, n
FROM ({_NUMBERS}) AS numbers
"""
_JOBS = f"""
INSERT INTO procrastinate_jobs (
    id, queue_name, task_name, priority, args, scheduled_at, attempts, tasks_owner, tasks_turn
)
SELECT
    n, {_QUEUE}, 'task:test.script', {_PRIORITY}, jsonb_build_object('task_id', {_ID}),
    {_SCHEDULED}, {_ATTEMPT}, coalesce({_OWNER}, 0), CASE WHEN {_ATTEMPT} = 0 THEN n / 2 ELSE 0 END
FROM ({_NUMBERS}) AS numbers
"""
_INDEXES = """
SELECT pg_get_indexdef(indexrelid), indexrelid::regclass::text
FROM pg_index
WHERE indrelid = %s::regclass AND NOT indisprimary
"""


@dataclass(frozen=True)
class Seed:
    """What the rows have in common: two owners, two batches, and the time in milliseconds."""

    many: int
    few: int
    ended_batch: uuid.UUID
    waiting_batch: uuid.UUID
    now: int

    def params(self, **others: Any) -> dict[str, Any]:
        """Return the parameters of the statements."""
        return {**asdict(self), "count": MILLION, **others}


def make_unlogged(connection: psycopg.Connection[Any]) -> None:
    """Keep what is written out of the write-ahead log, which saves 2 GB and a tenth of the time."""
    for table in ("tasks_attempt", *TABLES):
        _on(connection, "ALTER TABLE {} SET UNLOGGED", table)


def write_tasks(connection: psycopg.Connection[Any], seed: Seed) -> None:
    """Write a million tasks that ended and a million that wait; the first of each are a batch."""
    with _filling(connection, "tasks_task"):
        connection.execute(_ENDED, seed.params(batch=seed.ended_batch))
        connection.execute(_WAITING, seed.params(batch=seed.waiting_batch))


def write_jobs(connection: psycopg.Connection[Any], seed: Seed) -> None:
    """Write the jobs of the million that wait."""
    with _filling(connection, "procrastinate_jobs"):
        connection.execute(_JOBS, seed.params())
        connection.execute("SELECT setval('procrastinate_jobs_id_seq', %s)", [MILLION])


def drain(connection: psycopg.Connection[Any]) -> None:
    """Remove what waits, but leave its room in the files: they were large and may be again."""
    connection.execute("SET session_replication_role = replica")
    connection.execute("DELETE FROM procrastinate_jobs")
    connection.execute("DELETE FROM tasks_task WHERE status = 'PENDING'")
    for table in TABLES:
        _on(connection, "VACUUM (ANALYZE, TRUNCATE false) {}", table)


@contextmanager
def _filling(connection: psycopg.Connection[Any], table: str) -> Iterator[None]:
    """Fill a table without triggers and indexes, and gather its statistics."""
    # The triggers do nothing for our jobs, and the owners are known to exist.
    connection.execute("SET session_replication_role = replica")
    connection.execute("SET maintenance_work_mem = '256MB'")
    # Autovacuum would change the statistics while the tests run.
    _on(connection, "ALTER TABLE {} SET (autovacuum_enabled = false)", table)
    indexes = connection.execute(_INDEXES, [table]).fetchall()
    for _, name in indexes:
        _on(connection, "DROP INDEX {}", name)
    yield
    # Made afterwards they take half of the time.
    for definition, _ in indexes:
        connection.execute(definition)
    _on(connection, "VACUUM (ANALYZE) {}", table)


def _on(connection: psycopg.Connection[Any], statement: str, name: str) -> None:
    connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
