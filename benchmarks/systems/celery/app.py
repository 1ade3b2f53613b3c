"""Celery worker: one message a task, two statements a task, one connection a process."""

from __future__ import annotations

import os
import time
from typing import Any

import psycopg
from celery import Celery
from celery.signals import worker_process_init
from psycopg.types.json import Jsonb

from benchmarks.work import sum_numbers

# A second delivery of a finished task changes nothing, which late acknowledgement requires.
CLAIM = """
UPDATE task SET status = 'PROCESSING', attempt = attempt + 1, started_at = clock_timestamp()
WHERE id = %s AND status IN ('PENDING', 'PROCESSING')
RETURNING attempt, input
"""
FINISH = """
UPDATE task SET status = 'COMPLETED', result = %s, finished_at = clock_timestamp()
WHERE id = %s AND status = 'PROCESSING' AND attempt = %s
"""

app = Celery("benchmarks", broker=os.environ.get("BROKER_URL"))
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    # Slightly the best of 1, 4, 16, 64, 128 and 512: the statements take most of the time.
    worker_prefetch_multiplier=64,
    worker_enable_remote_control=False,
    broker_connection_retry_on_startup=True,
)

database: psycopg.Connection[tuple[Any, ...]]


def connect(**_signal: object) -> None:
    """Open the process's connection before its first task."""
    global database
    database = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, prepare_threshold=0)


def run_task(task_id: str) -> None:
    """Claim, run and finish one task."""
    began = time.time()
    claimed = database.execute(CLAIM, (task_id,)).fetchone()
    if claimed is None:
        return
    attempt, input = claimed
    result = sum_numbers(input, began)
    database.execute(FINISH, (Jsonb(result), task_id, attempt))


worker_process_init.connect(connect)
run = app.task(name="benchmark.sum")(run_task)
