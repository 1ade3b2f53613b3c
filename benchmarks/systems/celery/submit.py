from __future__ import annotations

import os
from collections.abc import Sequence

import psycopg

from benchmarks.submitting import main
from benchmarks.systems.celery.app import app, run
from benchmarks.systems.table import insert
from benchmarks.work import Input

database = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)


def many(inputs: Sequence[Input]) -> None:
    """Insert all rows in one transaction, then send their messages over one connection."""
    with database.transaction():
        task_ids = insert(database, inputs)
    with app.producer_or_acquire() as producer:
        for task_id in task_ids:
            run.apply_async((task_id,), producer=producer)


def one(input: Input) -> str:
    """Insert a row, then send its message over a pooled connection."""
    (task_id,) = insert(database, [input])
    run.apply_async((task_id,))
    return task_id


if __name__ == "__main__":
    main(many, one, table="task")
