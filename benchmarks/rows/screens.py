"""Screens of operators (P8), with a long history."""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median

from benchmarks.bench import Bench
from benchmarks.children import run
from benchmarks.http_load import send, serving
from benchmarks.results import Figure, Row, at_most, percentile
from benchmarks.seeded import Backlog
from benchmarks.systems.ours.site import OurSite

LIMIT_MS = 100
REQUESTS = 40
LEAST_REQUESTS = 20
SCREENS = {
    "GET /api/v1/queues/status": "/api/v1/queues/status",
    "GET /api/v1/tasks/": "/api/v1/tasks/",
    "GET /api/v1/tasks/?status=FAILED": "/api/v1/tasks/?status=FAILED",
    "console: overview": "/admin/",
    "console: tasks": "/admin/tasks/task/",
    "console: dead letters": "/admin/tasks/task/dead-letters/",
    "pages: tasks": "/ui/tasks/",
}


def measure(bench: Bench, environment: dict[str, str], scratch: Path, held: Backlog) -> Row:
    """Request each screen repeatedly, one request at a time."""
    argv = [sys.executable, "-m", "benchmarks.systems.ours.visitor"]
    cookie = run(argv, environment=environment, log=scratch / "visitor.log", limit=60)
    requests = bench.count(REQUESTS, least=LEAST_REQUESTS)
    runs: dict[str, list[list[float]]] = {name: [] for name in SCREENS}
    with serving(OurSite(), environment, scratch) as url:
        for turn in range(bench.repeat + 1):
            for name, route in SCREENS.items():
                # The first turn warms up.
                count = requests if turn else 3
                times = [_milliseconds(url + route, cookie) for _ in range(count)]
                if turn:
                    runs[name].append(times)
                    p95 = percentile(times, 0.95)
                    bench.log(f"{turn}/{bench.repeat} {name}: p95 {p95:.0f} ms")
    figures = [_figure(name, times) for name, times in runs.items()]
    return Row(
        id="P8",
        title=f"Screens of operators, {_total(held):,} tasks in the database",
        unit="ms, 95th percentile",
        figures=figures,
        checks=[
            at_most(f"{figure.name}, p95", figure.median, LIMIT_MS, "ms") for figure in figures
        ],
        notes=[
            f"{requests} requests a run, one after another, each on its own connection; "
            f"{held.finished:,} tasks have ended, {held.scheduled:,} are scheduled, "
            f"{held.waiting:,} wait. Workers are idle."
        ],
    )


def _milliseconds(url: str, cookie: str) -> float:
    seconds, _, _ = send(url, headers={"Cookie": cookie})
    return 1_000 * seconds


def _figure(name: str, runs: list[list[float]]) -> Figure:
    return Figure(
        name=name,
        runs=[percentile(times, 0.95) for times in runs],
        more={
            "p50": median(median(times) for times in runs),
            "slowest": max(max(times) for times in runs),
        },
    )


def _total(held: Backlog) -> int:
    return held.finished + held.scheduled + held.waiting
