"""Seeded database of this project: finished, scheduled and waiting tasks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.bench import Bench
from benchmarks.children import run, running, wait_until
from benchmarks.errors import BenchmarkError
from benchmarks.life import LOOK_SECONDS, START_SECONDS, time_limit
from benchmarks.systems.ours.system import Ours

SEED_SECONDS = 1_800.0
# Tasks end in the order of their keys, except those that several processes hold at once.
MARGIN = 2_000
NEXT = "SELECT id FROM tasks_task WHERE status = 'PENDING' AND scheduled_at IS NULL ORDER BY id"
ENDED = "SELECT finished_at IS NOT NULL FROM tasks_task WHERE id = %s"
RATE = """
SELECT count(*), extract(epoch FROM max(finished_at) - min(started_at)) FROM (
    SELECT started_at, finished_at FROM tasks_task
    WHERE started_at >= %s AND status = 'COMPLETED' ORDER BY finished_at LIMIT %s
) AS first
"""


@dataclass(frozen=True)
class Backlog:
    """How many tasks a database holds before a measurement."""

    finished: int
    scheduled: int
    waiting: int


@contextmanager
def seeded(
    bench: Bench, template: str, backlog: Backlog, *, name: str = "seeded"
) -> Iterator[tuple[dict[str, str], Path]]:
    """Create a database with a backlog; yield environment and scratch directory."""
    counts = (backlog.finished, backlog.scheduled, backlog.waiting)
    argv = [sys.executable, "-m", "benchmarks.systems.ours.seed", *map(str, counts)]
    with bench.fresh(Ours(), template, name=name) as (environment, scratch):
        log = scratch / "seed.log"
        seconds = run(argv, environment=environment, log=log, limit=SEED_SECONDS)
        bench.log(f"seeded {sum(counts):,} tasks in {float(seconds):.0f} s")
        with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
            connection.execute("CHECKPOINT")
        yield environment, scratch


def drain_rate(
    environment: dict[str, str], scratch: Path, *, tasks: int, processes: int = 2
) -> float:
    """Run workers on the first of the waiting tasks; return how many they finish a second."""
    system, log = Ours(processes=processes), scratch / "workers.log"
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
        last = _last(connection, tasks)
        row = connection.execute("SELECT clock_timestamp()").fetchone()
        with running(system.work(), environment=environment, log=log) as workers:
            wait_until(
                lambda: connection.execute(ENDED, (last,)).fetchone() == (True,),
                child=workers,
                log=log,
                limit=START_SECONDS + time_limit(tasks),
                every=LOOK_SECONDS,
            )
        assert row is not None
        ended = connection.execute(RATE, (row[0], tasks)).fetchone()
    if ended is None or ended[0] != tasks:
        raise BenchmarkError(f"Workers had to finish {tasks} tasks; rows: {ended}.")
    return tasks / float(ended[1])


def _last(connection: psycopg.Connection[Any], tasks: int) -> object:
    """Return the key of a task that ends after this many tasks."""
    row = connection.execute(f"{NEXT} OFFSET %s LIMIT 1", (tasks + MARGIN,)).fetchone()
    if row is None:
        raise BenchmarkError(f"Fewer than {tasks + MARGIN} tasks are waiting.")
    return row[0]
