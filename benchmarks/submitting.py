"""Submitter of a run: all tasks at once, or one by one to idle workers.

It runs as its own process and prints its answer as the last line: the seconds that it took to
submit all, or, one by one, the seconds from each submit to the start of its handler, as
`{"from_commit": […], "from_call": […]}`. One by one they come at random intervals, or at a pace.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import psycopg
from psycopg import sql

from benchmarks.work import Input, inputs

# Between two single tasks, in seconds: long enough for the worker to become idle.
LEAST_PAUSE, LONGEST_PAUSE = 0.015, 0.045
# Between two tasks at a pace.
PACE = 0.01
WARM_UP = 10
LIMIT_SECONDS = 60.0

Many = Callable[[Sequence[Input]], None]
One = Callable[[Input], str]


def main(many: Many, one: One, *, table: str) -> None:
    """Run the command line: `many N`, `one N` or `paced N`."""
    mode, count = sys.argv[1], int(sys.argv[2])
    if mode == "many":
        all_inputs = inputs(count)
        started = time.perf_counter()
        many(all_inputs)
        sys.stdout.write(f"{time.perf_counter() - started}\n")
    else:
        _submit_each(one, _at_random(WARM_UP), table=table)
        pauses = _at_random(count) if mode == "one" else _at_a_pace(count)
        sys.stdout.write(json.dumps(_submit_each(one, pauses, table=table)) + "\n")


def _at_random(count: int) -> Iterator[float]:
    """Yield the pauses between so many submits, each when it is needed."""
    random_pauses = random.Random(count)
    for _ in range(count - 1):
        yield random_pauses.uniform(LEAST_PAUSE, LONGEST_PAUSE)


def _at_a_pace(count: int) -> Iterator[float]:
    began = time.monotonic()
    for number in range(1, count):
        yield max(began + number * PACE - time.monotonic(), 0.0)


def _submit_each(one: One, pauses: Iterator[float], *, table: str) -> dict[str, list[float]]:
    called_at: dict[str, float] = {}
    committed_at: dict[str, float] = {}
    for number in itertools.count():
        before = time.time()
        task_id = one(Input((number, 2 * number, 3), clock=True))
        committed_at[task_id] = time.time()
        called_at[task_id] = before
        if (pause := next(pauses, None)) is None:
            break
        time.sleep(pause)
    began_at = _began_at(list(called_at), table=table)
    # A handler may begin before the submitter sees its own commit: the delay is then 0.
    return {
        "from_commit": [max(began_at[id] - committed_at[id], 0.0) for id in called_at],
        "from_call": [began_at[id] - called_at[id] for id in called_at],
    }


def _began_at(task_ids: list[str], *, table: str) -> dict[str, float]:
    """Wait until the tasks are done; return when their handlers began, by id."""
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
    raise SystemExit(f"{len(task_ids) - len(rows)} tasks were not done within {LIMIT_SECONDS:g} s.")
