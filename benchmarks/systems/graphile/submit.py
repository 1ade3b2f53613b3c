from __future__ import annotations

import os
from collections.abc import Sequence

import psycopg

from benchmarks.submitting import main
from benchmarks.systems.table import insert
from benchmarks.work import Input

BATCH = 5_000
# Its interface for SQL: all jobs of a batch in one call.
ADD_JOBS = """
SELECT count(*) FROM graphile_worker.add_jobs(ARRAY(
    SELECT ('sum', json_build_object('task_id', id), NULL, NULL, NULL, NULL, NULL, NULL
        )::graphile_worker.job_spec
    FROM unnest(%s::text[]) AS id
))
"""
ADD_JOB = "SELECT graphile_worker.add_job('sum', json_build_object('task_id', %s::text))"

database = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)


def many(inputs: Sequence[Input]) -> None:
    """Insert rows and jobs in batches, each one transaction."""
    for start in range(0, len(inputs), BATCH):
        with database.transaction():
            database.execute(ADD_JOBS, (insert(database, inputs[start : start + BATCH]),))


def one(input: Input) -> str:
    """Insert a row and its job in one transaction."""
    with database.transaction():
        (task_id,) = insert(database, [input])
        database.execute(ADD_JOB, (task_id,))
    return task_id


if __name__ == "__main__":
    main(many, one, table="task")
