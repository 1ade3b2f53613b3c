"""Whole life of many tasks, from PENDING to COMPLETED with a result."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.bench import Bench
from benchmarks.children import run, running, wait_until
from benchmarks.errors import BenchmarkError
from benchmarks.measurement import (
    Measurement,
    drain_seconds,
    has_begun,
    is_drained,
    wal_position,
)
from benchmarks.resources import cpu_seconds, memory_mib
from benchmarks.systems.system import System

START_SECONDS = 60.0
# A slower run counts as stuck.
LEAST_TASKS_PER_SECOND = 50.0
# Rare enough to cost the database nothing; the rates come from the rows' own times.
LOOK_SECONDS = 0.25
# Often enough that less than one per cent of the CPU time is missed.
START_LOOK_SECONDS = 0.02
WEIGH_SECONDS = 1.0


def live(bench: Bench, system: System, *, template: str, tasks: int) -> Measurement:
    """Submit the tasks in a fresh database, then let workers finish them."""
    with (
        bench.fresh(system, template) as (environment, scratch),
        psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection,
    ):
        wal = wal_position(connection)
        submit_seconds = submit(system, environment, scratch, tasks=tasks)
        cpu, memory = _drain(connection, system, environment, scratch, limit=time_limit(tasks))
        return Measurement(
            tasks=tasks,
            submit_seconds=submit_seconds,
            drain_seconds=drain_seconds(connection, system.table, tasks=tasks),
            cpu_seconds=cpu,
            memory_mib=memory,
            wal_bytes=wal_position(connection) - wal,
        )


def time_limit(tasks: int) -> float:
    """Return how many seconds this many tasks may take."""
    return START_SECONDS + tasks / LEAST_TASKS_PER_SECOND


def submit(system: System, environment: dict[str, str], scratch: Path, *, tasks: int) -> float:
    """Submit the tasks; return the seconds it took."""
    seconds = run(
        system.submit("many", tasks),
        environment=environment,
        log=scratch / "submit.log",
        limit=time_limit(tasks),
    )
    try:
        return float(seconds)
    except ValueError as error:
        raise BenchmarkError(
            f"The submitter printed {seconds!r} instead of its seconds."
        ) from error


def _drain(
    connection: psycopg.Connection[Any],
    system: System,
    environment: dict[str, str],
    scratch: Path,
    *,
    limit: float,
) -> tuple[float, float]:
    """Run the workers to the end; return CPU seconds from the first claim, and most MiB."""
    log = scratch / "workers.log"
    most, weigh_at = 0.0, 0.0

    def drained() -> bool:
        nonlocal most, weigh_at
        if time.monotonic() >= weigh_at:
            weigh_at = time.monotonic() + WEIGH_SECONDS
            most = max(most, memory_mib())
        return is_drained(connection, system.table)

    with running(system.work(), environment=environment, log=log) as workers:
        wait_until(
            lambda: has_begun(connection, system.table),
            child=workers,
            log=log,
            limit=START_SECONDS,
            every=START_LOOK_SECONDS,
        )
        cpu = cpu_seconds()
        wait_until(drained, child=workers, log=log, limit=limit, every=LOOK_SECONDS)
        return cpu_seconds() - cpu, most
