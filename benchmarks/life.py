"""The row `life`: the whole life of a task, from PENDING to COMPLETED with its result."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from benchmarks.children import run, running, wait_until
from benchmarks.cluster import Cluster
from benchmarks.errors import BenchmarkError
from benchmarks.measurement import Measurement, is_drained, measure
from benchmarks.systems.system import System

START_SECONDS = 60.0
# Slower than this is not slow but stuck.
LEAST_TASKS_PER_SECOND = 50.0
# Rare enough that looking costs the database nothing; the rates come from the rows' own times.
LOOK_SECONDS = 0.25


def live(system: System, cluster: Cluster, *, template: str, tasks: int) -> Measurement:
    """Submit the tasks, then start the workers and let them drain, in a fresh database."""
    with (
        TemporaryDirectory(prefix="benchmark-") as directory,
        cluster.database("run", template=template) as url,
        system.services(Path(directory)) as services,
    ):
        scratch, environment = Path(directory), {**services, "DATABASE_URL": url}
        submit_seconds = _submit(system, environment, scratch / "submit.log", tasks=tasks)
        started = time.time()
        _drain(system, environment, scratch / "workers.log", limit=_limit(tasks))
        with psycopg.connect(url) as connection:
            return measure(
                connection,
                system.table,
                tasks=tasks,
                submit_seconds=submit_seconds,
                workers_started=started,
            )


def create_schema(system: System, url: str) -> None:
    """Make the system's tables in a database."""
    with (
        TemporaryDirectory(prefix="benchmark-") as directory,
        system.services(Path(directory)) as services,
    ):
        run(
            system.create_schema(),
            environment={**services, "DATABASE_URL": url},
            log=Path(directory) / "schema.log",
            limit=START_SECONDS,
        )


def _limit(tasks: int) -> float:
    return START_SECONDS + tasks / LEAST_TASKS_PER_SECOND


def _submit(system: System, environment: dict[str, str], log: Path, *, tasks: int) -> float:
    seconds = run(system.submit(tasks), environment=environment, log=log, limit=_limit(tasks))
    try:
        return float(seconds)
    except ValueError as error:
        raise BenchmarkError(f"Submitting printed {seconds!r}, not its seconds.") from error


def _drain(system: System, environment: dict[str, str], log: Path, *, limit: float) -> None:
    with (
        psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection,
        running(system.work(), environment=environment, log=log) as workers,
    ):
        wait_until(
            lambda: is_drained(connection, system.table),
            child=workers,
            log=log,
            limit=limit,
            every=LOOK_SECONDS,
        )
