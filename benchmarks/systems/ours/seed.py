"""Seeder of a migrated database: `… -m benchmarks.systems.ours.seed 1000000 200000 1000000`.

The arguments are the numbers of finished, scheduled and waiting tasks; the database is that of
DATABASE_URL. Columns that are not set here are copied from a submitted task, which is then deleted.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import django
import psycopg
from psycopg import sql

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
django.setup()

from tasks.lifecycle import delete, submit  # noqa: E402 needs Django set up

# Version 7 UUIDs that grow with the number, a thousand to a millisecond.
ID = """(
    lpad(to_hex({since}::bigint + n / 1000), 12, '0') || '7' || lpad(to_hex(mod(n, 1000)), 3, '0')
    || '8' || lpad(to_hex(n), 15, '0')
)::uuid"""
MONTH = 29 * 86_400
CREATED = (
    f"statement_timestamp() - interval '1 second' * ({MONTH} * (1 - n::float8 / %(count)s) + 9)"
)
# Of a hundred ended tasks one failed and one was cancelled, evenly over a month.
FINISHED = {
    "created_at": CREATED,
    "status": "CASE mod(n, 100) WHEN 0 THEN 'FAILED' WHEN 1 THEN 'CANCELLED' ELSE 'COMPLETED' END",
    "attempt": "CASE mod(n, 100) WHEN 0 THEN model.max_attempts WHEN 1 THEN 0 ELSE 1 END",
    "lease": "CASE mod(n, 100) WHEN 0 THEN model.max_attempts WHEN 1 THEN 0 ELSE 1 END",
    "result": "CASE WHEN mod(n, 100) > 1 THEN jsonb_build_object('sum', 3 * n + 3) END",
    "error": "CASE mod(n, 100) WHEN 0 THEN jsonb_build_object('type', 'ValueError', 'title', 'A"
    " value is wrong', 'detail', 'Seeded.') END",
    "progress": "CASE WHEN mod(n, 100) > 1 THEN 100 ELSE 0 END",
    "job_id": "NULL",
    "started_at": f"CASE mod(n, 100) WHEN 1 THEN NULL ELSE {CREATED} + interval '1 second' END",
    "finished_at": f"{CREATED} + interval '2 seconds'",
}
WAITING = {"job_id": "%(job)s + n"}
SCHEDULED = {
    **WAITING,
    "scheduled_at": "statement_timestamp() + interval '1 day' + interval '1 second' * (n / 10)",
}
JOBS = {
    "id": "task.job_id",
    "args": "jsonb_build_object('task_id', task.id)",
    "scheduled_at": "task.scheduled_at",
}
COLUMNS = """
SELECT attname FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
ORDER BY attnum
"""
NEXT_JOB = "SELECT nextval('procrastinate_jobs_id_seq')"


def main() -> None:
    """Create the tasks in one transaction, vacuum the tables, and print the seconds it took."""
    finished, scheduled, waiting = (int(number) for number in sys.argv[1:])
    began = time.perf_counter()
    model = submit("benchmark.sum", {"numbers": [1, 2, 3]})
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        with connection.transaction():
            # The triggers run a statement for each job: notices and a history, not needed here.
            connection.execute("ALTER TABLE procrastinate_jobs DISABLE TRIGGER USER")
            _insert(connection, model.id, FINISHED, age=MONTH, count=finished)
            _insert(connection, model.id, SCHEDULED, age=7_200, count=scheduled)
            _insert(connection, model.id, WAITING, age=3_600, count=waiting)
            connection.execute("ALTER TABLE procrastinate_jobs ENABLE TRIGGER USER")
        delete(model)
        connection.execute("VACUUM (ANALYZE) tasks_task, procrastinate_jobs")
    sys.stdout.write(f"{time.perf_counter() - began}\n")


def _insert(
    connection: psycopg.Connection[Any],
    model: object,
    columns: dict[str, str],
    *,
    age: int,
    count: int,
) -> None:
    """Insert copies of the model with these columns changed, and their jobs."""
    if not count:
        return
    since = int((time.time() - age) * 1_000)
    row = connection.execute(NEXT_JOB).fetchone()
    assert row is not None
    params = {"model": model, "count": count, "job": row[0]}
    changed = {
        "id": ID.format(since=since),
        "input": "jsonb_build_object('numbers', jsonb_build_array(n, 2 * n, 3))",
        "created_at": "statement_timestamp() - interval '1 hour'",
        **columns,
    }
    rows = "generate_series(1, %(count)s) AS n, tasks_task AS model WHERE model.id = %(model)s"
    _fill(connection, "tasks_task", changed, rows, params)
    jobs = (
        "procrastinate_jobs AS model, tasks_task AS task WHERE model.id = (SELECT job_id FROM"
        " tasks_task WHERE id = %(model)s) AND task.job_id > %(job)s ORDER BY task.job_id"
    )
    if columns["job_id"] != "NULL":
        _fill(connection, "procrastinate_jobs", JOBS, jobs, params)
        last = "SELECT setval('procrastinate_jobs_id_seq', %(job)s + %(count)s)"
        connection.execute(last, params)


def _fill(
    connection: psycopg.Connection[Any],
    table: str,
    changed: dict[str, str],
    rows: str,
    params: dict[str, Any],
) -> None:
    names = [name for (name,) in connection.execute(COLUMNS, (table,)).fetchall()]
    statement = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {}").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(", ").join(
            sql.SQL(changed[name]) if name in changed else sql.Identifier("model", name)
            for name in names
        ),
        sql.SQL(rows),
    )
    connection.execute(statement, params)


if __name__ == "__main__":
    main()
