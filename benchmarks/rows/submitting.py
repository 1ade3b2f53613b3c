"""P3: submitting one task over HTTP, durably."""

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
    """Serve every site at once, each idle but for its turn."""
    if why := http_load.missing():
        bench.skipped["P3"] = why
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
        found = take_turns(
            bench,
            sites,
            lambda site: _load(site, *urls[site.name], seconds=bench.seconds(SECONDS)),
            warm_up=lambda site: _load(site, *urls[site.name], seconds=WARM_UP_SECONDS),
            show=lambda one: f"{one.rate:,.0f} requests/s, p99 {one.p99_ms:.0f} ms",
            name=lambda site: site.name,
        )
    figures = {name: _figure(name, loads) for name, loads in found.items()}
    return [
        Row(
            id="P3",
            title="POST of one task",
            unit="requests/s",
            figures=list(figures.values()),
            checks=_checks(figures),
            notes=[
                f"`wrk`, {CONNECTIONS} connections, two server processes each; every accepted task "
                "of the durable ones was counted in its table afterwards."
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
        found = load(url, scratch, seconds=seconds, body=site.body)
        after = connection.execute(count).fetchone()
    assert before is not None
    assert after is not None
    if after[0] - before[0] < found.requests:
        raise BenchmarkError(f"{site.name} answered {found.requests}, has {after[0] - before[0]}.")
    return found


def _figure(name: str, loads: list[Load]) -> Figure:
    return Figure(
        name=name,
        runs=[one.rate for one in loads],
        more={
            "p50 ms": median(one.p50_ms for one in loads),
            "p99 ms": median(one.p99_ms for one in loads),
            "worst p99 ms": max(one.p99_ms for one in loads),
        },
    )


def _checks(figures: dict[str, Figure]) -> list[Check]:
    ours = figures[OURS.name]
    peers = [(one, wanted) for one, wanted in ((DURABLE, 2), (FLEETING, 1)) if one.name in figures]
    return [
        at_least("requests/s", ours.median, 2_000),
        *(
            at_least(f"times {peer.name}", ours.median / figures[peer.name].median, wanted)
            for peer, wanted in peers
        ),
        at_most("p99", ours.more["p99 ms"], 25, "ms"),
    ]
