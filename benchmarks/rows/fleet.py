"""Fleet (P11): what many worker processes on one database cost it, idle and with single tasks."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from statistics import median
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from benchmarks.bench import Bench
from benchmarks.children import run, running, wait_until
from benchmarks.comparison import take_turns
from benchmarks.resources import database_cpu_seconds
from benchmarks.results import Check, Figure, Row, at_most, percentile
from benchmarks.submitting import PACE
from benchmarks.systems.oban.system import Oban
from benchmarks.systems.ours.system import Ours

Fleet = Ours | Oban

# By the number of processes: the most of a core that PostgreSQL may use at the pace.
MOST_BUSY = {12: 15, 64: 25}
OURS = {count: Ours(f"{count} worker processes", processes=count) for count in MOST_BUSY}
# With the default slots of this project.
PEERS = {
    count: Oban(f"oban-py, {count} processes", processes=count, slots=8) for count in MOST_BUSY
}
IDLE_SECONDS = 15.0
PACED_SECONDS = 20.0
START_SECONDS = 180.0
# After the start, until what happens only once is over.
SETTLE_SECONDS = 5.0
REGISTERED: LiteralString = "SELECT count(*) FROM {}"
CONNECTIONS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What a fleet cost the database: percent of a core; delays in milliseconds."""

    idle: float
    busy: float
    connections: float
    delays: list[float]


def measure(bench: Bench) -> list[Row]:
    """Run fleets of idle workers in turns."""
    every: list[Fleet] = [*OURS.values(), *PEERS.values()]
    fleets = bench.present(every)
    with bench.templates(fleets) as templates:
        results = take_turns(
            bench,
            fleets,
            lambda fleet: _load(bench, fleet, templates[fleet.name]),
            show=lambda load: f"idle {load.idle:.1f} %, at the pace {load.busy:.1f} % of a core",
            name=lambda fleet: fleet.name,
        )
    checks: list[Check] = []
    for count, fleet in OURS.items():
        loads = results[fleet.name]
        checks += [
            at_most(f"{count} processes, idle", median(load.idle for load in loads), 5, "%"),
            at_most(
                f"{count} processes, at the pace",
                median(load.busy for load in loads),
                MOST_BUSY[count],
                "%",
            ),
            at_most(f"{count} processes, start, p95", _p95(loads), 5, "ms"),
            at_most(
                f"{count} processes, connections of each",
                median(load.connections for load in loads) / count,
                3,
            ),
        ]
        if peer := results.get(PEERS[count].name):
            share = median(load.busy for load in loads) / median(load.busy for load in peer)
            checks.append(at_most(f"{count} processes, at the pace, times oban-py", share, 1))
    return [
        Row(
            id="P11",
            title=f"Many idle worker processes and {1 / PACE:.0f} single tasks a second",
            unit="percent of a core for PostgreSQL",
            figures=[_figure(name, loads) for name, loads in results.items()],
            checks=checks,
            notes=["The submits are part of what PostgreSQL does at the pace."],
        )
    ]


def _load(bench: Bench, fleet: Fleet, template: str) -> Load:
    with bench.fresh(fleet, template) as (environment, scratch):
        log = scratch / "workers.log"
        registered = sql.SQL(REGISTERED).format(sql.Identifier(fleet.registered))
        with (
            psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection,
            running(fleet.work(), environment=environment, log=log) as workers,
        ):
            wait_until(
                lambda: _number(connection, registered) == fleet.processes,
                child=workers,
                log=log,
                limit=START_SECONDS,
                every=0.5,
            )
            time.sleep(SETTLE_SECONDS)
            idle_seconds = bench.seconds(IDLE_SECONDS)
            before = database_cpu_seconds()
            time.sleep(idle_seconds)
            idle = (database_cpu_seconds() - before) / idle_seconds
            count = int(bench.seconds(PACED_SECONDS) / PACE)
            before = database_cpu_seconds()
            answer = run(
                fleet.submit("paced", count),
                environment=environment,
                log=scratch / "submit.log",
                limit=START_SECONDS,
            )
            busy = (database_cpu_seconds() - before) / (count * PACE)
            connections = _number(connection, CONNECTIONS)
    delays = [1_000 * delay for delay in json.loads(answer)["from_commit"]]
    return Load(idle=100 * idle, busy=100 * busy, connections=connections, delays=delays)


def _figure(name: str, loads: list[Load]) -> Figure:
    return Figure(
        name=name,
        runs=[load.busy for load in loads],
        more={
            "idle": median(load.idle for load in loads),
            "start p50 ms": median(median(load.delays) for load in loads),
            "start p95 ms": _p95(loads),
            "connections": median(load.connections for load in loads),
        },
    )


def _p95(loads: list[Load]) -> float:
    return median(percentile(load.delays, 0.95) for load in loads)


def _number(connection: psycopg.Connection[Any], query: LiteralString | sql.Composed) -> int:
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])
