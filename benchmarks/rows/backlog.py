"""P6, P8 and P9: on one database with a long history and a long queue."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from benchmarks.bench import Bench
from benchmarks.children import running
from benchmarks.results import Figure, Row, at_least, at_most
from benchmarks.rows import memory, screens
from benchmarks.rows.pickup import TASKS, Delays, delays, show
from benchmarks.rows.pickup import figure as pickup_figure
from benchmarks.seeded import MARGIN, Backlog, drain_rate, seeded
from benchmarks.systems.ours.system import Ours

HELD = Backlog(finished=1_000_000, scheduled=200_000, waiting=1_000_000)
DRAINED = 40_000
SHARE = 0.9
# Single tasks go to a queue of their own: in the other they would wait for a million.
LIVE = Ours(queue="live")


def measure(bench: Bench) -> list[Row]:
    """Seed once, then look, pick up, drain and weigh, in this order."""
    held = Backlog(*(bench.count(one) for one in (HELD.finished, HELD.scheduled, HELD.waiting)))
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
    """Compare an empty database with the seeded one, in turns."""
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
            bench.tell(f"{name}: {rates[name][-1]:,.0f} tasks/s; {show(waits[name][-1])}")
    drained = [
        Figure(name=f"whole lives a second, {name}", runs=rates[name], more={"tasks": tasks})
        for name in ("seeded", "empty")
    ]
    ratio = drained[0].median / drained[1].median
    return [
        Row(
            id="P6",
            title="Whole lives a second behind a long history and queue",
            unit="tasks/s",
            figures=drained,
            checks=[
                at_least("share of the empty database's rate", ratio, SHARE),
                *_pickup_checks(waits),
            ],
            notes=[_what(held), *_pickup_notes(waits)],
        )
    ]


def _pickup_checks(waits: dict[str, list[Delays]]) -> list[Check]:
    seeded_p50, empty_p50 = (median(one.p50 for one in waits[n]) for n in ("seeded", "empty"))
    return [at_most("pick-up p50, times the empty one's", seeded_p50 / empty_p50, 1 / SHARE)]
