"""Curves (C1 to C3): throughput against batch size, worker processes and backlog."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.bench import Bench
from benchmarks.limit import limit_rate
from benchmarks.results import Curve, Row
from benchmarks.seeded import MARGIN, Backlog, drain_rate, seeded
from benchmarks.systems.ours.system import Ours

BATCHES = (1, 5, 20, 50, 100, 200, 500)
PROCESSES = (1, 2, 3, 4)
BACKLOGS = (20_000, 100_000, 300_000, 1_000_000)
TASKS = 20_000
FIRST = 15_000
LEAST_TASKS = 1_000


def measure(bench: Bench) -> list[Row]:
    """Measure each point once."""
    with bench.template(Ours()) as template:
        return [_batches(bench, template), _processes(bench, template), _backlogs(bench, template)]


def _batches(bench: Bench, template: str) -> Row:
    rates = []
    for batch in BATCHES:
        # So that every size takes seconds; the smallest batches are the slowest.
        tasks = min(bench.count(TASKS), bench.count(batch * 2_000, least=LEAST_TASKS))
        rates.append(limit_rate(bench, template, connections=1, batch=batch, tasks=tasks))
        bench.log(f"batches of {batch}: {rates[-1]:,.0f} tasks/s")
    return _row(
        "C1", "Claim and finish alone on one connection", "tasks in a claim", BATCHES, rates
    )


def _processes(bench: Bench, template: str) -> Row:
    tasks = bench.count(2 * TASKS)
    waiting = len(PROCESSES) * (tasks + 4 * MARGIN)
    rates = []
    with seeded(bench, template, Backlog(0, 0, waiting)) as (environment, scratch):
        for count in PROCESSES:
            rates.append(drain_rate(environment, scratch, tasks=tasks, processes=count))
            bench.log(f"{count} worker processes: {rates[-1]:,.0f} tasks/s")
    return _row("C2", "Whole lives a second", "worker processes", PROCESSES, rates)


def _backlogs(bench: Bench, template: str) -> Row:
    rates, sizes = [], [bench.count(size, least=2 * MARGIN) for size in BACKLOGS]
    for size in sizes:
        tasks = min(bench.count(FIRST), size - MARGIN - 1)
        with seeded(bench, template, Backlog(0, 0, size)) as (environment, scratch):
            rates.append(drain_rate(environment, scratch, tasks=tasks))
        bench.log(f"{size:,} tasks waiting: {rates[-1]:,.0f} tasks/s")
    return _row("C3", "Whole lives a second, the first of a backlog", "tasks waiting", sizes, rates)


def _row(id: str, title: str, x: str, points: Sequence[float], rates: list[float]) -> Row:
    return Row(
        id=id,
        title=f"{title}, by {x}",
        unit="tasks/s",
        figures=[],
        notes=["Each point was measured once."],
        curves=[Curve(name="this project", x=points, y=rates)],
        x=x,
    )
