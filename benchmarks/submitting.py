"""Submits the tasks of a run: all at once, or one by one to workers that wait.

Runs in a process of its own, which prints its answer as the last line: the seconds that it took
to submit all, or, one by one, the seconds from each submit to the start of its handler, as
`{"from_commit": […], "from_call": […]}`.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable, Sequence

import psycopg
from psycopg import sql

from benchmarks.work import Input, inputs

# Between two single tasks, in seconds: long enough for a worker to have nothing to do again.
LEAST_PAUSE, LONGEST_PAUSE = 0.015, 0.045
WARM_UP = 10
LIMIT_SECONDS = 60.0

Many = Callable[[Sequence[Input]], None]
One = Callable[[Input], str]


def main(many: Many, one: One, *, table: str) -> None:
    """Do what the command line asks: `many N` or `one N`."""
    mode, count = sys.argv[1], int(sys.argv[2])
    if mode == "many":
        wanted = inputs(count)
        started = time.perf_counter()
        many(wanted)
        sys.stdout.write(f"{time.perf_counter() - started}\n")
    else:
        _submit_each(one, WARM_UP, table=table)
        sys.stdout.write(json.dumps(_submit_each(one, count, table=table)) + "\n")


def _submit_each(one: One, count: int, *, table: str) -> dict[str, list[float]]:
    pauses = random.Random(count)
    called: dict[str, float] = {}
    committed: dict[str, float] = {}
    for number in range(count):
        before = time.time()
        task_id = one(Input((number, 2 * number, 3), clock=True))
        committed[task_id] = time.time()
        called[task_id] = before
        time.sleep(pauses.uniform(LEAST_PAUSE, LONGEST_PAUSE))
    began = _began(list(called), table=table)
    # A handler may begin before the submitter has seen its own commit: that is no delay.
    return {
        "from_commit": [max(began[one] - committed[one], 0.0) for one in called],
        "from_call": [began[one] - called[one] for one in called],
    }


def _began(task_ids: list[str], *, table: str) -> dict[str, float]:
    """Wait until the tasks are done; when their handlers began, by id."""
    statement = sql.SQL(
        "SELECT id::text, (result ->> 'began')::float8 FROM {} "
        "WHERE id = ANY (%s::uuid[]) AND finished_at IS NOT NULL"
    ).format(sql.Identifier(table))
    deadline = time.monotonic() + LIMIT_SECONDS
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        while time.monotonic() < deadline:
            rows = connection.execute(statement, (task_ids,)).fetchall()
            if len(rows) == len(task_ids):
                return dict(rows)
            time.sleep(0.1)
    raise SystemExit(f"{len(task_ids) - len(rows)} tasks were not done in {LIMIT_SECONDS:g} s.")
