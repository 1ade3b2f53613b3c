from __future__ import annotations

import os
import sys
import time
import uuid

import psycopg
from psycopg.types.json import Jsonb

from benchmarks.systems.celery_redis.app import app, run
from benchmarks.work import inputs

INSERT = "INSERT INTO task (id, input) VALUES (%s, %s)"


def submit(tasks: int) -> None:
    """Insert all rows in one transaction, then send their messages over one connection."""
    rows = [(uuid.uuid4(), Jsonb(input.as_json())) for input in inputs(tasks)]
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        connection.cursor().executemany(INSERT, rows)
    with app.producer_or_acquire() as producer:
        for task_id, _ in rows:
            run.apply_async((str(task_id),), producer=producer)


if __name__ == "__main__":
    started = time.perf_counter()
    submit(int(sys.argv[1]))
    sys.stdout.write(f"{time.perf_counter() - started}\n")
