"""Submitting (P3): one task over HTTP, durably."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from statistics import median

import psycopg
from psycopg import sql

from benchmarks import http_load
from benchmarks.bench import Bench
from benchmarks.comparison import take_turns
from benchmarks.errors import BenchmarkError
from benchmarks.http_load import CONNECTIONS, Load, load, serving
from benchmarks.results import Check, Figure, Row, at_least, at_most
from benchmarks.systems.brokers import RabbitMQ, Redis
from benchmarks.systems.fastapi.system import FastAPI
from benchmarks.systems.ours.site import OurSite
from benchmarks.systems.system import Site

SECONDS = 5.0
WARM_UP_SECONDS = 1.5
OURS = OurSite()
TEXT = OurSite(
    "this project, POST /v1/tasks", route="/v1/tasks", body='{"text": "The cat sat on the mat."}'
)
DURABLE = FastAPI(Redis(), durable=True)
FLEETING = FastAPI(Redis(), durable=False)
SITES: tuple[Site, ...] = (OURS, TEXT, DURABLE, FastAPI(RabbitMQ(), durable=True), FLEETING)


def measure(bench: Bench) -> list[Row]:
    """Serve every site at once, and load them in turns."""
    if reason := http_load.missing():
        bench.skipped["P3"] = reason
        return []
    sites = bench.present(SITES)
    with ExitStack() as running:
        urls: dict[str, tuple[str, Path, str]] = {}
        for number, site in enumerate(sites):
            template = running.enter_context(bench.template(site))
            environment, scratch = running.enter_context(
                bench.fresh(site, template, name=f"site_{number}")
            )
            url = running.enter_context(serving(site, environment, scratch))
            urls[site.name] = (url + site.route, scratch, environment["DATABASE_URL"])
        results = take_turns(
            bench,
            sites,
            lambda site: _load(site, *urls[site.name], seconds=bench.seconds(SECONDS)),
            warm_up=lambda site: _load(site, *urls[site.name], seconds=WARM_UP_SECONDS),
            show=lambda run: f"{run.rate:,.0f} requests/s, p99 {run.p99_ms:.0f} ms",
            name=lambda site: site.name,
        )
    figures = {name: _figure(name, loads) for name, loads in results.items()}
    return [
        Row(
            id="P3",
            title="POST of one task",
            unit="requests/s",
            figures=list(figures.values()),
            checks=_checks(figures),
            notes=[
                f"`wrk`, {CONNECTIONS} connections, two server processes each; every task "
                "that a durable site accepted was counted in its table afterwards."
            ],
        )
    ]


def _load(site: Site, url: str, scratch: Path, database: str, *, seconds: float) -> Load:
    """Load a site; raises BenchmarkError when a task that it accepted has no row."""
    if site.table is None:
        return load(url, scratch, seconds=seconds, body=site.body)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(site.table))
        before = connection.execute(count).fetchone()
        result = load(url, scratch, seconds=seconds, body=site.body)
        after = connection.execute(count).fetchone()
    assert before is not None
    assert after is not None
    if after[0] - before[0] < result.requests:
        raise BenchmarkError(
            f"{site.name} accepted {result.requests} tasks but has {after[0] - before[0]} rows."
        )
    return result


def _figure(name: str, loads: list[Load]) -> Figure:
    return Figure(
        name=name,
        runs=[run.rate for run in loads],
        more={
            "p50 ms": median(run.p50_ms for run in loads),
            "p99 ms": median(run.p99_ms for run in loads),
            "worst p99 ms": max(run.p99_ms for run in loads),
        },
    )


def _checks(figures: dict[str, Figure]) -> list[Check]:
    ours = figures[OURS.name]
    targets = ((DURABLE, 1.8), (FLEETING, 1))
    peers = [(peer, target) for peer, target in targets if peer.name in figures]
    return [
        at_least("requests/s", ours.median, 2_500),
        *(
            at_least(f"times {peer.name}", ours.median / figures[peer.name].median, target)
            for peer, target in peers
        ),
        at_most("p99", ours.more["p99 ms"], 25, "ms"),
    ]
