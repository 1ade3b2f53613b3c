"""Retention (P12): a day of old tasks is pruned beside workers that are busy."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any, LiteralString

import psycopg

from benchmarks.bench import Bench
from benchmarks.children import running, tail
from benchmarks.errors import BenchmarkError
from benchmarks.life import submit
from benchmarks.results import JUDGED_FROM, Figure, Row, at_least, at_most
from benchmarks.seeded import MARGIN, Backlog, drain_rate, seeded
from benchmarks.systems.ours.system import Ours

FINISHED = 10_000_000
# The seed spreads the finished tasks over 29 days: so many are kept, and about a million expire.
KEPT_DAYS = 26
DRAINED = 40_000
SUBMITTED = 100_000
LIMIT_SECONDS = 900.0
LOOK_SECONDS = 0.01
LEFT = f"""
SELECT count(*) FROM tasks_task
WHERE status = 'COMPLETED' AND finished_at < now() - interval '{KEPT_DAYS} days'
"""
LOCK_WAIT = """
SELECT coalesce(1000 * extract(epoch FROM max(clock_timestamp() - waitstart)), 0)::float8
FROM pg_locks WHERE NOT granted AND locktype IN ('relation', 'tuple', 'transactionid')
"""
SIZE = "SELECT pg_total_relation_size('tasks_task')"
PRUNE = [sys.executable, "manage.py", "prune"]


@dataclass(frozen=True, kw_only=True)
class Pruning:
    """One run; rates in rows and tasks a second."""

    empty: float
    """In a database that holds no finished tasks."""
    pruned: float
    alone: float
    beside: float
    longest_lock_ms: float
    growth: float
    """Bytes by which the table grew for tasks submitted afterwards."""


def measure(bench: Bench) -> list[Row]:
    """Seed for each run, because pruning uses the old tasks up."""
    tasks = bench.count(DRAINED)
    held = Backlog(finished=bench.count(FINISHED), scheduled=0, waiting=2 * (tasks + 2 * MARGIN))
    with bench.template(Ours()) as template:
        runs = [_run(bench, template, held, tasks) for _ in range(bench.repeat)]
    return [
        Row(
            id="P12",
            title=f"Pruning a tenth of {held.finished:,} finished tasks beside busy workers",
            unit="rows/s",
            figures=[
                Figure(
                    name="pruned",
                    runs=[run.pruned for run in runs],
                    more={
                        "tasks/s empty": median(run.empty for run in runs),
                        "tasks/s alone": median(run.alone for run in runs),
                        "tasks/s beside": median(run.beside for run in runs),
                        "longest lock ms": max(run.longest_lock_ms for run in runs),
                        "growth MiB": max(run.growth for run in runs) / 2**20,
                    },
                )
            ],
            checks=[
                at_least("rows/s", median(run.pruned for run in runs), 20_000),
                at_least(
                    "workers alone, times an empty database",
                    median(run.alone / run.empty for run in runs),
                    0.9,
                    too_short=tasks < JUDGED_FROM,
                ),
                at_least(
                    "workers beside it, times alone",
                    median(run.beside / run.alone for run in runs),
                    0.8,
                    too_short=tasks < JUDGED_FROM,
                ),
                at_most("longest wait for a lock", max(r.longest_lock_ms for r in runs), 50, "ms"),
                at_most("growth for new tasks", max(run.growth for run in runs) / 2**20, 1, "MiB"),
            ],
            notes=[
                f"The first {tasks:,} waiting tasks to end count, alone and beside the pruning. "
                f"Then the table is vacuumed, and {bench.count(SUBMITTED):,} tasks are submitted."
            ],
        )
    ]


def _run(bench: Bench, template: str, held: Backlog, tasks: int) -> Pruning:
    only_waiting = Backlog(finished=0, scheduled=0, waiting=tasks + 2 * MARGIN)
    with seeded(bench, template, only_waiting, name="empty") as (environment, scratch):
        empty = drain_rate(environment, scratch, tasks=tasks)
    with (
        seeded(bench, template, held) as (environment, scratch),
        psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection,
    ):
        alone = drain_rate(environment, scratch, tasks=tasks)
        expired = _number(connection, LEFT)
        began = time.monotonic()
        environment = {**environment, "RETENTION_COMPLETED_DAYS": str(KEPT_DAYS)}
        with (
            running(PRUNE, environment=environment, log=scratch / "prune.log") as pruning,
            _longest_lock(environment["DATABASE_URL"]) as longest,
        ):
            beside = drain_rate(environment, scratch, tasks=tasks)
            if pruning.wait(LIMIT_SECONDS) != 0:
                raise BenchmarkError(tail(scratch / "prune.log"))
            seconds = time.monotonic() - began
        # Some have expired since.
        if (left := _number(connection, LEFT)) > expired / 100:
            raise BenchmarkError(f"{left:,.0f} tasks that had expired were left.")
        connection.execute("VACUUM tasks_task")
        before = _number(connection, SIZE)
        submit(Ours(), environment, scratch, tasks=bench.count(SUBMITTED))
        run = Pruning(
            empty=empty,
            pruned=expired / seconds,
            alone=alone,
            beside=beside,
            longest_lock_ms=max(longest),
            growth=_number(connection, SIZE) - before,
        )
        bench.log(
            f"{run.pruned:,.0f} rows/s; {empty:,.0f} tasks/s empty, {alone:,.0f} alone,"
            f" {beside:,.0f} beside"
        )
        return run


@contextmanager
def _longest_lock(url: str) -> Iterator[list[float]]:
    """Look for waits for locks during the block; yield a list of what was seen, in ms."""
    seen = [0.0]
    stop = threading.Event()

    def look() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not stop.wait(LOOK_SECONDS):
                seen.append(_number(connection, LOCK_WAIT))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def _number(connection: psycopg.Connection[Any], query: LiteralString) -> float:
    row = connection.execute(query).fetchone()
    assert row is not None
    return float(row[0])
