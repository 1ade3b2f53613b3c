"""Memory of worker processes (P9): idle and over many tasks."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.bench import Bench
from benchmarks.children import running, wait_until
from benchmarks.life import START_SECONDS, time_limit
from benchmarks.resources import resident_mib, tree_mib
from benchmarks.results import Curve, Figure, Row, at_most
from benchmarks.systems.ours.system import Ours

IDLE_MIB = 80
# More than an allocator's normal variation.
GROWTH_MIB = 10
SETTLE_SECONDS = 6.0
LOOK_SECONDS = 1.0
LEFT = """
SELECT count(*) FROM tasks_task
WHERE status = 'PENDING' AND queue = 'default' AND scheduled_at IS NULL
"""
READY = "SELECT count(*) = %s FROM tasks_worker"
WORKERS = (
    "SELECT coalesce(sum(processed), 0)::int, coalesce(array_agg(pid), '{}') FROM tasks_worker"
)
OPEN = f"SELECT EXISTS ({LEFT.replace('count(*)', '')})"


def measure(bench: Bench, environment: dict[str, str], scratch: Path) -> Row:
    """Measure idle workers, then workers that drain the whole queue."""
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
        idle = [_idle(connection, environment, scratch) for _ in range(bench.repeat)]
        bench.log(f"idle: {idle} MiB (largest worker, all)")
        left = connection.execute(LEFT).fetchone()
        assert left is not None
        done, held = _drain(connection, environment, scratch, tasks=left[0])
    early = [mib for tasks, mib in zip(done, held, strict=True) if tasks <= left[0] / 5]
    late = [mib for tasks, mib in zip(done, held, strict=True) if tasks >= left[0] * 4 / 5]
    largest = Figure(
        name="idle, the largest worker (RSS)",
        runs=[worker_mib for worker_mib, _ in idle],
        more={"both workers, fork servers and supervisor (PSS)": max(total for _, total in idle)},
    )
    growth = max(late, default=held[-1]) - max(early, default=held[0])
    return Row(
        id="P9",
        title=f"Memory of two worker processes, idle and over {left[0]:,} tasks",
        unit="MiB",
        figures=[
            largest,
            Figure(
                name="the largest worker, first fifth of the tasks",
                runs=[max(early, default=held[0])],
            ),
            Figure(name="the largest worker, last fifth", runs=[max(late, default=held[-1])]),
        ],
        checks=[
            at_most("idle, the largest worker", largest.median, IDLE_MIB, "MiB"),
            at_most("growth from the first fifth to the last", growth, GROWTH_MIB, "MiB"),
        ],
        notes=["RSS counts pages that processes share in each of them, PSS once."],
        curves=[Curve(name="the largest worker", x=done, y=held)],
        x="tasks finished",
    )


def _idle(
    connection: psycopg.Connection[Any], environment: dict[str, str], scratch: Path
) -> tuple[float, float]:
    """Start workers of an empty queue; return the MiB of the largest, and of all."""
    system, log = Ours(queue="empty"), scratch / "idle.log"
    with running(system.work(), environment=environment, log=log) as workers:
        wait_until(
            lambda: connection.execute(READY, (2,)).fetchone() == (True,),
            child=workers,
            log=log,
            limit=START_SECONDS,
            every=0.1,
        )
        time.sleep(SETTLE_SECONDS)
        _, largest = _look(connection)
        return largest, sum(tree_mib(workers.pid))


def _look(connection: psycopg.Connection[Any]) -> tuple[int, float]:
    """Return how many tasks the workers report as done, and the MiB of the largest."""
    row = connection.execute(WORKERS).fetchone()
    assert row is not None
    return row[0], max(resident_mib(row[1]), default=0.0)


def _drain(
    connection: psycopg.Connection[Any], environment: dict[str, str], scratch: Path, *, tasks: int
) -> tuple[list[float], list[float]]:
    """Drain the queue; return tasks done and MiB of the largest worker at each sample."""
    done: list[float] = []
    held: list[float] = []
    log = scratch / "drain.log"

    def drained() -> bool:
        count, largest = _look(connection)
        if count and largest:
            done.append(count)
            held.append(largest)
        return connection.execute(OPEN).fetchone() == (False,)

    with running(Ours().work(), environment=environment, log=log) as workers:
        limit = time_limit(tasks)
        wait_until(drained, child=workers, log=log, limit=limit, every=LOOK_SECONDS)
        # The count comes with a heartbeat; the last one may be seconds old.
        done.append(tasks)
        held.append(_look(connection)[1])
    return done, held
