"""Limit: the claiming and the finishing statement alone, without a worker between them."""

from __future__ import annotations

import json
import sys
import time
from contextlib import ExitStack

import psycopg

from benchmarks.bench import Bench
from benchmarks.children import running, tail, wait_until
from benchmarks.errors import BenchmarkError
from benchmarks.life import submit, time_limit
from benchmarks.results import JUDGED_FROM, Figure
from benchmarks.systems.ours.system import Ours

BATCH = 100
TASKS = 20_000
START_SECONDS = 60.0
# The benchmark holds this lock until every connection is ready, so that all start at once.
GATE = 1
WAITING = "SELECT count(*) = %s FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


def measure(bench: Bench, template: str) -> list[Figure]:
    """Measure batches of 100 on one connection and on two."""
    figures = []
    for connections in (1, 2):
        name = f"limit: claim and finish alone, {connections} connection(s)"
        tasks = bench.count(TASKS, least=BATCH * connections)
        rates = []
        for turn in range(bench.repeat):
            rates.append(
                limit_rate(bench, template, connections=connections, batch=BATCH, tasks=tasks)
            )
            bench.log(f"{turn + 1}/{bench.repeat} {name}: {rates[-1]:,.0f} tasks/s")
        figures.append(Figure(name=name, runs=rates, too_short=tasks < JUDGED_FROM))
    return figures


def limit_rate(bench: Bench, template: str, *, connections: int, batch: int, tasks: int) -> float:
    """Return how many tasks a second the two statements alone claim and finish."""
    ours = Ours()
    argv = [sys.executable, "-m", "benchmarks.systems.ours.statements", str(batch), str(GATE)]
    with (
        bench.fresh(ours, template) as (environment, scratch),
        psycopg.connect(environment["DATABASE_URL"], autocommit=True) as gate,
        ExitStack() as children,
    ):
        submit(ours, environment, scratch, tasks=tasks)
        gate.execute("SELECT pg_advisory_lock(%s)", (GATE,))
        logs = [scratch / f"statements-{number}.log" for number in range(connections)]
        started = [
            children.enter_context(running(argv, environment=environment, log=log)) for log in logs
        ]
        wait_until(
            lambda: gate.execute(WAITING, (connections,)).fetchone() == (True,),
            child=started[0],
            log=logs[0],
            limit=START_SECONDS,
            every=0.02,
        )
        began = time.time()
        gate.execute("SELECT pg_advisory_unlock(%s)", (GATE,))
        answers = []
        for child, log in zip(started, logs, strict=True):
            if child.wait(time_limit(tasks)) != 0:
                raise BenchmarkError(f"The statements alone failed.\n{tail(log)}")
            answers.append(json.loads(tail(log).splitlines()[-1]))
    if (done := sum(answer["tasks"] for answer in answers)) != tasks:
        raise BenchmarkError(f"{tasks} tasks were submitted, the statements finished {done}.")
    return tasks / (max(float(answer["ended"]) for answer in answers) - began)
