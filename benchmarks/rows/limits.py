"""Limits (P13): what full limits cost others, and tasks under one, unique, or with a cache."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from statistics import median

import psycopg

from benchmarks.bench import Bench
from benchmarks.children import run, running, tail, wait_until
from benchmarks.comparison import take_turns
from benchmarks.errors import BenchmarkError
from benchmarks.life import START_SECONDS
from benchmarks.results import Figure, Row, at_most, percentile
from benchmarks.systems.ours.system import Ours

KEYS = 10_000
EACH = 100
TASKS = 20_000
CLAIM_MS = 20
FREED_MS = 50
FILL_SECONDS = 1_800.0
MEASURE_SECONDS = 600.0
COMMAND = [sys.executable, "-m", "benchmarks.systems.ours.limited"]
RENEWED = """
SELECT bool_and(heartbeat_at > clock_timestamp() - interval '3 s') FROM tasks_worker
WHERE name = 'benchmark holder'
"""
NAMES = {
    "free": "without a limit",
    "roomy": "under a limit that is not reached",
    "narrow": "under a limit of 50 at once",
    "unique": "each unique by its input",
    "cached": "20 of each input, with results that are used again",
}


@dataclass(frozen=True)
class Run:
    """Milliseconds of claims and of freed permits, and tasks a second by queue."""

    claims: list[float]
    gaps: list[float]
    rates: dict[str, float]


def measure(bench: Bench) -> list[Row]:
    """Fill the keys once, then measure on copies."""
    keys, each, tasks = bench.count(KEYS), bench.count(EACH), bench.count(TASKS)
    with (
        bench.template(Ours()) as template,
        bench.fresh(Ours(), template, name="full") as (environment, scratch),
    ):
        argv = [*COMMAND, "fill", str(keys), str(each)]
        run(argv, environment=environment, log=scratch / "fill.log", limit=FILL_SECONDS)
        (runs,) = take_turns(
            bench,
            [Ours()],
            lambda ours: _run(bench, ours, tasks),
            show=lambda each: f"claim p95 {percentile(each.claims, 0.95):.1f} ms",
            name=lambda ours: ours.name,
        ).values()
    claims = _figure("claim of a task with a free key", [run.claims for run in runs])
    gaps = _figure("from the end of a task to the start of the next", [run.gaps for run in runs])
    return [
        Row(
            id="P13",
            title=f"{keys:,} full keys with {each} waiting tasks each, beside keys that are free",
            unit="ms, 95th percentile",
            figures=[claims, gaps],
            checks=[
                at_most("claim, p95", claims.median, CLAIM_MS, "ms"),
                at_most("a freed permit is used, p95", gaps.median, FREED_MS, "ms"),
            ],
            notes=[
                "Each full key has one task that runs, of one that is allowed. The second figure "
                "is that of tasks of 20 ms of which one may run at once, two idle workers."
            ],
        ),
        Row(
            id="P13b",
            title=f"{tasks:,} tasks from the first submit to the last end, beside the same",
            unit="tasks/s",
            figures=[
                Figure(name=name, runs=[run.rates[queue] for run in runs])
                for queue, name in NAMES.items()
            ],
        ),
    ]


def _run(bench: Bench, ours: Ours, tasks: int) -> Run:
    with bench.fresh(ours, "full") as (environment, scratch):
        claims = run(
            [*COMMAND, "claims"],
            environment=environment,
            log=scratch / "claims.log",
            limit=MEASURE_SECONDS,
        )
        log = scratch / "measure.log"
        argv = [*COMMAND, "measure", str(tasks)]
        with (
            psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection,
            running(argv, environment=environment, log=log) as child,
        ):
            # Before the first worker can find that the tasks of the full keys are lost.
            wait_until(
                lambda: connection.execute(RENEWED).fetchone() == (True,),
                child=child,
                log=log,
                limit=START_SECONDS,
                every=0.1,
            )
            with running(ours.work(), environment=environment, log=scratch / "workers.log"):
                code = child.wait(MEASURE_SECONDS)
        if code != 0:
            raise BenchmarkError(f"{argv} ended with exit code {code}.\n{tail(log)}")
        measured = json.loads(log.read_text().splitlines()[-1])
    return Run(json.loads(claims), **measured)


def _figure(name: str, runs: list[list[float]]) -> Figure:
    return Figure(
        name=name,
        runs=[percentile(times, 0.95) for times in runs],
        more={
            "p50": median(median(times) for times in runs),
            "p99": median(percentile(times, 0.99) for times in runs),
        },
    )
