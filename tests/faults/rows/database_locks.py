"""Locks and long transactions: R27, R28, R29, R30."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from tasks.lifecycle.preparation import prepare
from tasks.models import Status
from tests.faults.harness.durations import Durations, percentile
from tests.faults.harness.rivals import Rivals, in_words
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.waiting import wait_until

STATEMENT_TIMEOUT = "&options=-c%20statement_timeout%3D1000"
CLAIM_LIMIT = 100.0
DRAIN_LIMIT = 60.0


@row(
    "R27",
    title="a task's row is locked for 10 s while it should be finished, statement_timeout 1 s",
    promise="the finish is retried, no task gets stuck",
    target="stuck 0",
)
def locked_row(system: System, dice: Dice) -> Measured:
    """Lock one of eight tasks that end at the same moment."""
    system.workers(concurrency=8, DATABASE_URL=system.server.url + STATEMENT_TIMEOUT)
    file = system.directory / "go on"
    ids = system.submit([prepare("test.plain_effect", {"file": str(file)}) for _ in range(8)])
    wait_until(lambda: system.count(Status.PROCESSING) == 8, what="all run")
    with psycopg.connect(system.server.url) as holder:
        holder.execute("SELECT FROM tasks_task WHERE id = %s FOR UPDATE", [dice.choice(ids)])
        file.touch()
        time.sleep(10)
        neighbours = system.count(Status.COMPLETED)
    freed = time.monotonic()
    with suppress(AssertionError):
        wait_until(lambda: system.count(Status.COMPLETED) == 8, within=30, what="all finished")
    took = time.monotonic() - freed
    stuck = 8 - system.count(Status.COMPLETED)
    lost = system.queries.value("SELECT count(*) FROM tasks_attempt")
    return Measured(
        f"stuck {stuck} of 8, {took:.1f} s after the lock; while it was held {neighbours} of "
        f"the 7 others were finished; attempts lost {lost}",
        met=not stuck and not lost,
    )


@row(
    "R28",
    title="claim, finish, cancel, rescue, retry, delete and reconcile on the same rows × 1,000",
    promise="one winner",
    target="clobbers 0, unhandled deadlocks 0, jobs without their task 0",
    limit=400,
)
def rivals(system: System, dice: Dice) -> Measured:
    """Run every verb on one row, and on five in different orders, at the same moment."""
    rounds = 200 if system.quick else 1_000
    with Rivals(system.server.url, dice) as contest:
        for number in range(rounds):
            contest.round(rows=1 if number % 2 else 5)
    deadlocks, clobbers = sum(contest.deadlocks.values()), system.clobbers()
    return Measured(
        f"{rounds:,} rounds, {contest.won:,} writes, clobbers {clobbers}; deadlocks "
        f"{in_words(contest.deadlocks)}; jobs or waiting tasks without the other, after each "
        f"round: {contest.unpaired}; other errors {in_words(contest.errors)}",
        met=not deadlocks and not clobbers and not contest.unpaired and not contest.errors,
    )


@row(
    "R29",
    title="a session is idle in a transaction for 5 min at 100 tasks/s",
    promise="slower, no failure",
    target="claim p95 ≤ 100 ms; backlog gone ≤ 60 s after",
    limit=600,
)
def idle_in_transaction(system: System, dice: Dice) -> Measured:
    """Hold a snapshot, so that nothing can be vacuumed, under a steady load."""
    durations = Durations(system)
    system.workers(processes=2)
    with _snapshot(system.server.url):
        submitted = _submit_steadily(system, seconds=60 if system.quick else 300)
        claims = durations.of("claim")
        dead = _dead_tuples(system)
        backlog = system.count(Status.PENDING)
    freed = time.monotonic()
    system.wait_until_ended(within=120)
    drained = time.monotonic() - freed
    p95 = percentile(claims, 95)
    return Measured(
        f"claim p95 {p95:.1f} ms of {len(claims):,} (longest {max(claims):.0f} ms) with {dead:,} "
        f"dead rows; {submitted:,} tasks, backlog of {backlog} gone {drained:.1f} s after",
        met=p95 <= CLAIM_LIMIT and drained <= DRAIN_LIMIT,
    )


@row(
    "R30",
    title="four analytical sessions in REPEATABLE READ",
    promise="slower, no failure",
    target="claim p95 ≤ 3 × without them",
    limit=400,
)
def analysts(system: System, dice: Dice) -> Measured:
    """Have four sessions read all tasks again and again in long transactions."""
    durations = Durations(system)
    system.workers(processes=2)
    seconds = 20 if system.quick else 60
    _submit_steadily(system, seconds=seconds)
    alone = percentile(durations.of("claim"), 95)
    durations.restart()
    stopped = threading.Event()
    threads = [
        threading.Thread(target=_analyse, args=(system.server.url, stopped)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    _submit_steadily(system, seconds=seconds)
    stopped.set()
    for thread in threads:
        thread.join()
    beside = percentile(durations.of("claim"), 95)
    system.wait_until_ended(within=60)
    return Measured(
        f"claim p95 {alone:.2f} ms alone, {beside:.2f} ms beside them ({beside / alone:.1f} ×)",
        met=beside <= 3 * alone,
    )


@contextmanager
def _snapshot(url: str) -> Iterator[None]:
    # Named like the harness's sessions, because it is idle on purpose.
    with psycopg.connect(url, application_name="faults") as session:
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        session.execute("SELECT count(*) FROM tasks_task")
        yield


def _submit_steadily(system: System, *, seconds: float, rate: int = 100) -> int:
    """Submit `rate` tasks a second in ten portions; return the total."""
    began, submitted = time.monotonic(), 0
    while (now := time.monotonic() - began) < seconds:
        due = int(now * rate) - submitted
        if due > 0:
            system.submit([prepare("test.script", {"value": 1}) for _ in range(due)])
            submitted += due
        time.sleep(0.1)
    return submitted


def _analyse(url: str, stopped: threading.Event) -> None:
    with psycopg.connect(url, application_name="faults") as session:
        while not stopped.is_set():
            session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            end = time.monotonic() + 10
            while time.monotonic() < end and not stopped.wait(0.5):
                session.execute(
                    "SELECT kind, status, count(*), avg(finished_at - started_at),"
                    " percentile_cont(0.95) WITHIN GROUP (ORDER BY finished_at - created_at)"
                    " FROM tasks_task GROUP BY kind, status"
                ).fetchall()
            session.rollback()


def _dead_tuples(system: System) -> int:
    return int(
        system.queries.value(
            "SELECT sum(n_dead_tup)::bigint FROM pg_stat_user_tables"
            " WHERE relname IN ('tasks_task', 'procrastinate_jobs')"
        )
    )
