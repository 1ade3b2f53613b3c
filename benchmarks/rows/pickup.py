"""Pickup (P5): how soon an idle worker begins a task."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.bench import Bench
from benchmarks.children import run, running
from benchmarks.comparison import take_turns
from benchmarks.errors import BenchmarkError
from benchmarks.life import START_SECONDS
from benchmarks.results import Figure, Row, at_most, percentile
from benchmarks.rows.life import OBAN_50, OURS, PEERS
from benchmarks.systems.system import System

TASKS = 150
LIMIT_SECONDS = 120.0


@dataclass(frozen=True)
class Delays:
    """From submit to the handler's start, task by task, in milliseconds."""

    from_commit: list[float]
    from_call: list[float]

    @property
    def p50(self) -> float:
        """Return the median from the commit."""
        return median(self.from_commit)

    @property
    def p99(self) -> float:
        """Return the 99th percentile from the commit."""
        return percentile(self.from_commit, 0.99)


def measure(bench: Bench) -> list[Row]:
    """Submit single tasks to idle workers of every system in turns."""
    systems = bench.present([OURS, *PEERS])
    with bench.templates(systems) as templates:

        def once(system: System) -> Delays:
            with bench.fresh(system, templates[system.name]) as (environment, scratch):
                log = scratch / "workers.log"
                with running(system.work(), environment=environment, log=log):
                    return delays(system, environment, scratch, count=bench.count(TASKS, least=30))

        results = take_turns(bench, systems, once, show=show, name=lambda system: system.name)
    figures = {name: figure(name, runs) for name, runs in results.items()}
    ours, peer = figures[OURS.name], figures.get(OBAN_50.name)
    return [
        Row(
            id="P5",
            title="From the commit of a submit to the start of its handler, workers idle",
            unit="ms, median",
            figures=list(figures.values()),
            checks=[
                at_most("p50", ours.median, 1.3, "ms"),
                at_most("p95", ours.more["p95"], 2.2, "ms"),
                at_most("p99", ours.more["p99"], 5, "ms"),
                *([at_most(f"times {peer.name}", ours.median / peer.median, 1)] if peer else []),
            ],
            notes=[
                "One task every 15 to 45 ms. `from the call` counts from before the submit, "
                "so it includes the commit and the sending of the message."
            ],
        )
    ]


def delays(system: System, environment: dict[str, str], scratch: Path, *, count: int) -> Delays:
    """Submit one by one to running workers."""
    output = run(
        system.submit("one", count),
        environment=environment,
        log=scratch / "submit.log",
        limit=LIMIT_SECONDS + START_SECONDS,
    )
    try:
        seconds = json.loads(output)
    except json.JSONDecodeError as error:
        raise BenchmarkError(f"Submitting one by one printed {output!r}, not JSON.") from error
    return Delays(
        from_commit=[1_000 * delay for delay in seconds["from_commit"]],
        from_call=[1_000 * delay for delay in seconds["from_call"]],
    )


def show(run: Delays) -> str:
    """Return a run as text for the log."""
    return f"p50 {run.p50:.1f} ms, p99 {run.p99:.1f} ms"


def figure(name: str, runs: list[Delays]) -> Figure:
    """Return the figure of several runs; the percentiles are medians over the runs."""
    return Figure(
        name=name,
        runs=[run.p50 for run in runs],
        more={
            "p95": median(percentile(run.from_commit, 0.95) for run in runs),
            "p99": median(run.p99 for run in runs),
            "p50 from the call": median(median(run.from_call) for run in runs),
            "p99 from the call": median(percentile(run.from_call, 0.99) for run in runs),
        },
    )
