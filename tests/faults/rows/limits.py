"""Limits under kills: F03."""

from __future__ import annotations

import time
from typing import LiteralString

from django.db import connection

from tasks.lifecycle.preparation import prepare
from tasks.models import Scope, Status
from tasks.submission import Submission
from tests.faults.harness.processes import Workers
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.limits.rules import make_limit
from tests.waiting import wait_until

CONCURRENT = 6
RATE, PERIOD, BURST = 40, 2, 8
CHUNK = 1_000
# Of each chunk; a rate that a slow machine reaches too.
RATED = 100
# Of each chunk, for as many accounts, each one after another; every third fails once.
ORDERED = 50
ACCOUNTS = 10

# The most tasks of a queue that were claimed at one moment, and the most starts in one period, by
# the ledger, which knows every claim.
MOST_AT_ONCE: LiteralString = """
    SELECT coalesce(max(running), 0) FROM (
        SELECT sum(CASE became WHEN 'PROCESSING' THEN 1 ELSE -1 END) OVER (ORDER BY at, step.id)
            AS running
        FROM faults_history AS step
        JOIN tasks_task AS task ON task.id = step.task_id
        WHERE task.queue = %(queue)s
            AND (was IS NOT DISTINCT FROM 'PROCESSING') <> (became = 'PROCESSING')
    ) AS moments
"""
MOST_STARTS: LiteralString = """
    SELECT coalesce(max(starts), 0) FROM (
        SELECT count(*) OVER (
            ORDER BY at RANGE BETWEEN CURRENT ROW AND %(period)s * interval '1 second' FOLLOWING
        ) AS starts
        FROM faults_history AS step
        JOIN tasks_task AS task ON task.id = step.task_id
        WHERE task.queue = %(queue)s AND became = 'PROCESSING'
    ) AS moments
"""
# Starts of ordered tasks while an earlier one of the same account had not ended.
OUT_OF_ORDER: LiteralString = """
    SELECT count(*)
    FROM faults_history AS step
    JOIN tasks_task AS task ON task.id = step.task_id
    WHERE task.queue = 'ordered' AND became = 'PROCESSING'
        AND EXISTS (
            SELECT FROM tasks_task AS earlier
            WHERE earlier.queue = 'ordered'
                AND earlier.input -> 'account' = task.input -> 'account'
                AND earlier.input -> 'number' < task.input -> 'number'
                AND (earlier.finished_at IS NULL OR earlier.finished_at > step.at)
        )
"""
HELD: LiteralString = "SELECT count(*) FROM tasks_permit WHERE released_at IS NULL"
RUNNING: LiteralString = (
    "SELECT count(*) FROM tasks_task WHERE status = 'PROCESSING' AND queue = 'counted'"
)


@row(
    "F03",
    title="limits of 6 at once, of 40 starts in 2 s, and of one after another for 10 accounts,"
    " 50,000 tasks, 100 SIGKILLs of workers, 5 crashes of the database",
    promise="never exceeded, never out of order, nothing leaked",
    target="most at once ≤ 6, most starts in any 2 s ≤ 40, started out of order 0; afterwards no"
    " permit is held and exactly 6 run at once; lost 0, doubled 0",
    limit=1_800,
)
def limits(system: System, dice: Dice) -> Measured:
    """Kill workers, and the database at times, while three limited queues are worked off."""
    tasks, kills, crashes = (5_000, 12, 1) if system.quick else (50_000, 100, 5)
    make_limit(name="counted", concurrent=CONCURRENT)
    make_limit(name="rated", rate=RATE, period=PERIOD, burst=BURST)
    make_limit(Scope.KEY, "test.ordered", path="account", concurrent=1, ordered=True)
    workers = system.workers(processes=4, concurrency=4)
    for chunk in range(tasks // CHUNK):
        queues = ["rated"] * RATED + ["counted"] * (CHUNK - RATED - ORDERED)
        queues += ["ordered"] * ORDERED
        dice.shuffle(queues)
        system.submit([_task(name, chunk * CHUNK + place) for place, name in enumerate(queues)])
    killed = _disturb(system, workers, dice, tasks=tasks, kills=kills, crashes=crashes)
    system.wait_until_ended(within=900)
    lost = tasks - system.count(Status.COMPLETED)
    doubled = system.doubled()
    at_once = system.queries.value(MOST_AT_ONCE, {"queue": "counted"})
    starts = system.queries.value(MOST_STARTS, {"queue": "rated", "period": PERIOD})
    out_of_order = system.queries.value(OUT_OF_ORDER)
    wait_until(lambda: not system.queries.value(HELD), within=10, what="no permit is held")
    usable = _usable(system)
    return Measured(
        f"{at_once} at once, {starts} starts in {PERIOD} s, {out_of_order} out of order over"
        f" {killed} kills and {crashes} crashes; no permit held afterwards, then {usable} at once;"
        f" lost {lost} of {tasks:,}, doubled {doubled}",
        met=at_once <= CONCURRENT
        and starts <= RATE
        and out_of_order == 0
        and usable == CONCURRENT
        and lost == 0
        and doubled == 0,
    )


def _task(queue: str, number: int) -> Submission:
    if queue != "ordered":
        return prepare("test.effect", {"seconds": 0.005}, queue=queue)
    values = {
        "account": number % ACCOUNTS, "number": number, "fails": number % 3 == 0, "seconds": 0.005,
    }  # fmt: skip
    return prepare("test.ordered", values, queue=queue, priority=number % 7 - 3, max_attempts=50)


def _disturb(
    system: System, workers: Workers, dice: Dice, *, tasks: int, kills: int, crashes: int
) -> int:
    """Kill one worker after another while tasks are worked off; return how many."""
    crash_at = {kills * (n + 1) // (crashes + 1) for n in range(crashes)}
    killed = 0
    for number, goal in enumerate(
        sorted(dice.randrange(tasks // 100, tasks * 19 // 20) for _ in range(kills))
    ):
        wait_until(
            lambda goal=goal: system.count(Status.COMPLETED) >= goal, within=300, what="progress"
        )
        if number in crash_at:
            system.server.crash()
            time.sleep(dice.uniform(0, 2))
            system.server.start()
            connection.close()
        if registered_now := workers.registered():
            system.kill(dice.choice(registered_now))
            killed += 1
    return killed


def _usable(system: System) -> int:
    """Return how many tasks run at once when more are submitted than may."""
    file = system.directory / "go on"
    system.submit(
        [
            prepare("test.script", {"do": "wait for file", "file": str(file)}, queue="counted")
            for _ in range(2 * CONCURRENT)
        ]
    )
    wait_until(
        lambda: system.queries.value(RUNNING) >= CONCURRENT, within=30, what="all permits are used"
    )
    # Longer than a freed permit takes to be used.
    time.sleep(1.0)
    running = int(system.queries.value(RUNNING))
    file.touch()
    system.wait_until_ended(within=60)
    return running
