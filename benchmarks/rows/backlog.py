"""Backlog (P6, P8, P9): one database with a long history and a long queue."""

from __future__ import annotations

from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.children import running
from benchmarks.results import JUDGED_FROM, Figure, Row, at_least, at_most
from benchmarks.rows import memory, screens
from benchmarks.rows.pickup import TASKS, Delays, delays, show
from benchmarks.rows.pickup import figure as pickup_figure
from benchmarks.seeded import MARGIN, Backlog, drain_rate, seeded
from benchmarks.systems.ours.system import Ours

HELD = Backlog(finished=1_000_000, scheduled=200_000, waiting=1_000_000)
DRAINED = 40_000
SHARE = 0.9
# Single tasks go to a separate queue: in the other they would wait for a million tasks.
LIVE = Ours(queue="live")


def measure(bench: Bench) -> list[Row]:
    """Seed once, then measure screens, pickup, drain and memory, in this order."""
    held = Backlog(*(bench.count(size) for size in (HELD.finished, HELD.scheduled, HELD.waiting)))
    with (
        bench.template(Ours()) as template,
        seeded(bench, template, held) as (environment, scratch),
    ):
        screen = screens.measure(bench, environment, scratch, held)
        rows = [*_with_backlog(bench, template, environment, scratch, held), screen]
        return [*rows, memory.measure(bench, environment, scratch)]


def _with_backlog(
    bench: Bench, template: str, environment: dict[str, str], scratch: Path, held: Backlog
) -> list[Row]:
    """Compare an empty database with the seeded one in turns."""
    tasks = bench.count(DRAINED)
    rates: dict[str, list[float]] = {"empty": [], "seeded": []}
    waits: dict[str, list[Delays]] = {"empty": [], "seeded": []}
    alone = Backlog(finished=0, scheduled=0, waiting=tasks + 2 * MARGIN)
    for _ in range(bench.repeat):
        with bench.fresh(LIVE, template, name="empty") as empty:
            waits["empty"].append(_pick_up(bench, *empty))
        with seeded(bench, template, alone, name="empty") as empty:
            rates["empty"].append(drain_rate(*empty, tasks=tasks))
        waits["seeded"].append(_pick_up(bench, {**environment, "BENCHMARK_QUEUE": "live"}, scratch))
        rates["seeded"].append(drain_rate(environment, scratch, tasks=tasks))
        for name in rates:
            bench.log(f"{name}: {rates[name][-1]:,.0f} tasks/s; {show(waits[name][-1])}")
    return [_rates_row(rates, tasks, held), _waits_row(waits, held)]


def _pick_up(bench: Bench, environment: dict[str, str], scratch: Path) -> Delays:
    with running(LIVE.work(), environment=environment, log=scratch / "workers.log"):
        return delays(LIVE, environment, scratch, count=bench.count(TASKS, least=30))


def _rates_row(rates: dict[str, list[float]], tasks: int, held: Backlog) -> Row:
    short = tasks < JUDGED_FROM
    figures = [
        Figure(name=name, runs=rates[name], more={"tasks": tasks}, too_short=short)
        for name in ("seeded", "empty")
    ]
    ratio = figures[0].median / figures[1].median
    return Row(
        id="P6",
        title="Whole life of a task, behind a long history and a long queue",
        unit="tasks/s",
        figures=figures,
        checks=[at_least("share of the empty database's rate", ratio, SHARE, too_short=short)],
        notes=[
            f"Seeded: {_sizes(held)}. Empty: only the drained tasks. "
            f"The first {tasks:,} to end count."
        ],
    )


def _waits_row(waits: dict[str, list[Delays]], held: Backlog) -> Row:
    figures = [pickup_figure(name, waits[name]) for name in ("seeded", "empty")]
    ratio = figures[0].median / figures[1].median
    return Row(
        id="P6",
        title="From the commit of a submit to the start of its handler, with the same backlog",
        unit="ms, median",
        figures=figures,
        checks=[at_most("p50, times the empty database's", ratio, round(1 / SHARE, 2))],
        notes=[
            f"Seeded: {_sizes(held)}. The workers serve one queue and the single tasks go there; "
            "the backlog is in another queue, which no worker serves."
        ],
    )


def _sizes(held: Backlog) -> str:
    return f"{held.finished:,} finished, {held.scheduled:,} scheduled, {held.waiting:,} waiting"
