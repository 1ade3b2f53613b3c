"""Killed worker processes: R01, R03."""

from __future__ import annotations

import time
from collections.abc import Callable

from tasks.lifecycle.preparation import prepare
from tasks.models import Status
from tasks.submission import Submission
from tests.faults.harness.processes import Workers
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.waiting import wait_until

TASKS = 10_000
KILLS = 20
RECOVERY_LIMIT = 30.0

KILL_EVERY = 2.0
BASELINE_SECONDS = 30.0
LEAST_SHARE = 0.6
# Tasks kept waiting: more than run during the pause after a kill.
STOCK = 2_000


@row(
    "R01",
    title="10,000 tasks, 4 workers, 20 SIGKILLs at seeded times",
    promise="at-least-once run, exactly-once effect",
    target="lost 0, doubled 0, recovery max ≤ 30 s",
    limit=400,
)
def twenty_kills(system: System, dice: Dice) -> Measured:
    """Kill one of four workers twenty times, at random points of 10,000 tasks."""
    workers = system.workers(processes=4, concurrency=4)
    system.submit([_task(0.02) for _ in range(TASKS)])
    began = time.monotonic()
    for goal in sorted(dice.randrange(TASKS // 100, TASKS * 9 // 10) for _ in range(KILLS)):
        wait_until(
            lambda goal=goal: system.count(Status.COMPLETED) >= goal, within=120, what="progress"
        )
        _kill_one(system, workers, dice)
    system.wait_until_ended(within=180)
    took = time.monotonic() - began
    lost = TASKS - system.count(Status.COMPLETED)
    recovery = system.recovery()
    return Measured(
        f"lost {lost}, doubled {system.doubled()}; {recovery}; {TASKS:,} tasks in {took:.0f} s",
        met=lost == 0 and recovery.longest <= RECOVERY_LIMIT,
    )


@row(
    "R03",
    title="SIGKILL of a worker every 2 s for 5 min, 4 workers",
    promise="progress continues",
    target="≥ 60 % of the throughput without kills, lost 0",
    limit=600,
)
def a_kill_every_two_seconds(system: System, dice: Dice) -> Measured:
    """Compare the throughput with and without a kill every other second."""
    workers = system.workers(processes=4, concurrency=4)
    undisturbed = _throughput(system, BASELINE_SECONDS, lambda: None)
    kills = 0

    def kill() -> None:
        nonlocal kills
        kills += _kill_one(system, workers, dice)

    disturbed = _throughput(system, 120.0 if system.quick else 300.0, kill)
    system.wait_until_ended(within=120)
    accepted = len(system.accepted.ids())
    lost = accepted - system.count(Status.COMPLETED)
    share = disturbed / undisturbed
    return Measured(
        f"{share:.0%} ({disturbed:.0f} of {undisturbed:.0f} tasks/s) over {kills} kills, "
        f"lost {lost} of {accepted:,}; {system.recovery()}",
        met=share >= LEAST_SHARE and lost == 0,
    )


def _task(seconds: float) -> Submission:
    return prepare("test.effect", {"seconds": seconds})


def _kill_one(system: System, workers: Workers, dice: Dice) -> bool:
    """Kill one of the living workers; return whether there was one."""
    if registered_now := workers.registered():
        system.kill(dice.choice(registered_now))
    return bool(registered_now)


def _throughput(system: System, seconds: float, disturb: Callable[[], None]) -> float:
    """Return the tasks completed a second while fed, disturbed every other second."""
    before, began = system.count(Status.COMPLETED), time.monotonic()
    disturb_at = began + KILL_EVERY
    while (now := time.monotonic()) < began + seconds:
        if system.count(Status.PENDING) < STOCK:
            system.submit([_task(0.1) for _ in range(STOCK)])
        if now >= disturb_at:
            disturb_at += KILL_EVERY
            disturb()
        time.sleep(0.1)
    return (system.count(Status.COMPLETED) - before) / (time.monotonic() - began)
