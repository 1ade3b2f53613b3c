"""Mixed load (P10): steady short tasks beside a flood of slow ones on another queue."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psycopg

from benchmarks.bench import Bench
from benchmarks.children import run, running, wait_until
from benchmarks.comparison import take_turns
from benchmarks.life import START_SECONDS
from benchmarks.results import Figure, Row, at_most, percentile
from benchmarks.systems.ours.system import Ours

FLOOD = 50_000
SLOW_SECONDS = 0.5
RATE = 100
SHORT_SECONDS = 0.05
SECONDS = 10.0
LEAST_SECONDS = 4.0
LIMIT_MS = 50
FLOOD_SECONDS = 120.0
READY = """
SELECT EXISTS (SELECT FROM tasks_task WHERE status = 'PROCESSING' AND queue = 'flood')
    AND (SELECT count(*) = 2 FROM tasks_worker)
"""
# A task that has not begun has waited until now.
WAITS = """
SELECT
    1000 * (
        coalesce((result ->> 'began')::float8, extract(epoch FROM clock_timestamp()))
        - extract(epoch FROM created_at)
    )::float8,
    status = 'PENDING'
FROM tasks_task WHERE queue = 'steady'
"""
SUBMIT = [sys.executable, "-m", "benchmarks.systems.ours.mixed"]


@dataclass(frozen=True)
class Pools:
    """A way to share two worker processes between two queues."""

    name: str
    workers: tuple[Ours, ...]
    priority: int = 0


@dataclass(frozen=True)
class Waits:
    """How long the short tasks waited, in milliseconds."""

    milliseconds: list[float]
    not_begun: int


DEDICATED = Pools(
    "a process for each queue",
    (Ours(queue="steady", processes=1), Ours(queue="flood", processes=1)),
)
POOLS = (
    DEDICATED,
    Pools(
        "the same, 16 slots for the short tasks",
        (Ours(queue="steady", processes=1, slots=16), Ours(queue="flood", processes=1)),
    ),
    Pools("both processes for both queues", (Ours(),)),
    Pools("both for both, the short tasks with priority", (Ours(),), priority=10),
)


def measure(bench: Bench) -> list[Row]:
    """Flood a queue once, then run each set of pools on a copy."""
    flood = bench.count(FLOOD)
    with (
        bench.template(Ours()) as template,
        bench.fresh(Ours(), template, name="flooded") as (environment, scratch),
    ):
        argv = [*SUBMIT, "flood", str(flood), str(SLOW_SECONDS)]
        run(argv, environment=environment, log=scratch / "flood.log", limit=FLOOD_SECONDS)
        results = take_turns(
            bench,
            POOLS,
            lambda pools: _run(bench, pools),
            show=lambda waits: f"p95 {percentile(waits.milliseconds, 0.95):,.0f} ms",
            name=lambda pools: pools.name,
        )
    figures = [_figure(name, runs) for name, runs in results.items()]
    return [
        Row(
            id="P10",
            title=f"{RATE} short tasks a second beside {flood:,} slow ones on another queue",
            unit="ms waited, 95th percentile",
            figures=figures,
            checks=[at_most(f"p95, {DEDICATED.name}", figures[0].median, LIMIT_MS, "ms")],
            notes=[
                f"Short tasks take {1_000 * SHORT_SECONDS:.0f} ms and come at random, slow ones "
                f"{SLOW_SECONDS:g} s; two worker processes of 8 slots unless stated otherwise. "
                "The wait is from the submit to the handler's start, or to the end of the run for "
                "a task that has not begun.",
                "The figure that is checked is that of dedicated pools: one for each queue "
                "(`--queues`). A shared pool takes tasks in the order they came, and all of the "
                "flood came first.",
            ],
        )
    ]


def _run(bench: Bench, pools: Pools) -> Waits:
    seconds = max(bench.seconds(SECONDS), LEAST_SECONDS)
    with bench.fresh(Ours(), "flooded") as (environment, scratch), ExitStack() as workers:
        log = scratch / "workers.log"
        started = [
            workers.enter_context(running(system.work(), environment=environment, log=log))
            for system in pools.workers
        ]
        with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
            wait_until(
                lambda: connection.execute(READY).fetchone() == (True,),
                child=started[0],
                log=log,
                limit=START_SECONDS,
                every=0.05,
            )
            _submit(environment, scratch, seconds=seconds, priority=pools.priority)
            rows = connection.execute(WAITS).fetchall()
    return Waits([wait for wait, _ in rows], sum(pending for _, pending in rows))


def _submit(environment: dict[str, str], scratch: Path, *, seconds: float, priority: int) -> None:
    argv = [*SUBMIT, "steady", str(RATE), str(seconds), str(SHORT_SECONDS), str(priority)]
    run(argv, environment=environment, log=scratch / "steady.log", limit=seconds + START_SECONDS)


def _figure(name: str, runs: list[Waits]) -> Figure:
    return Figure(
        name=name,
        runs=[percentile(run.milliseconds, 0.95) for run in runs],
        more={
            "p50": median(median(run.milliseconds) for run in runs),
            "p99": median(percentile(run.milliseconds, 0.99) for run in runs),
            "short tasks": len(runs[0].milliseconds),
            "not begun": max(run.not_begun for run in runs),
        },
    )
