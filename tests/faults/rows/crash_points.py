"""Crash points: workers killed at every boundary of a task's life: R02.

The engine has no hooks for this. Points inside a handler are reached by handlers that kill their
own worker; points inside the engine's statements by a lock that the row holds, so that a statement
waits in the database while its worker is killed. The statement is then either cut off and rolled
back, or released and committed although no client waits for its answer.
"""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Callable
from functools import partial

from tasks.lifecycle.preparation import prepare
from tasks.models import Status
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.standstill import cut_off, kill_all, rows_locked, wait_until_blocked
from tests.faults.harness.system import System
from tests.script.models import Effect
from tests.waiting import wait_until

KILLS = 50
# Worker processes at the point at the same time.
WAVE = 10
HANDLER_POINTS = ("before the call", "after the call", "after the effect")


@row(
    "R02",
    title=f"SIGKILL ×{KILLS} at each of nine crash points (callbacks: see R53)",
    promise="every boundary is safe",
    target="lost 0, doubled 0 at all points",
    limit=900,
)
def every_crash_point(system: System, dice: Dice) -> Measured:
    """Kill workers at nine points of a task's life; then let one worker finish what is left."""
    kills = 10 if system.quick else KILLS
    engine_points: dict[str, Callable[[System], int]] = {
        "before the claim": _before_the_claim,
        "inside the claim, rolled back": partial(_inside_the_claim, commit=False),
        "inside the claim, committed": partial(_inside_the_claim, commit=True),
        "after the claim": _after_the_claim,
        "inside the finish, rolled back": partial(_inside_the_finish, commit=False),
        "inside the finish, committed": partial(_inside_the_finish, commit=True),
    }
    killed = {point: _in_the_handler(system, point, kills) for point in HANDLER_POINTS}
    for point, wave in engine_points.items():
        killed[point] = 0
        while killed[point] < kills:
            killed[point] += wave(system)
    system.workers(processes=2, concurrency=8)
    system.wait_until_ended(within=180)
    accepted = len(system.accepted.ids())
    lost = accepted - system.count(Status.COMPLETED)
    calls, crashes = _calls(system)
    points = ", ".join(f"{point} ×{count}" for point, count in killed.items())
    return Measured(
        f"lost {lost} of {accepted}, doubled {system.doubled()}; {points}; "
        f"{calls} calls to the outside for {len(HANDLER_POINTS) * kills} tasks that crashed "
        f"{crashes} times",
        met=lost == 0 and calls <= len(HANDLER_POINTS) * kills + crashes,
    )


def _in_the_handler(system: System, point: str, kills: int) -> int:
    """Run handlers that kill their worker at the point; supervisors start new ones."""
    input = {"point": point, "scratch": str(system.directory)}
    ids = system.submit([prepare("test.crash_point", input, queue="handler") for _ in range(kills)])
    victims = system.workers(processes=WAVE, concurrency=1, queues=["handler"], registered=False)
    died = [system.directory / f"{id}.died" for id in ids]
    wait_until(lambda: all(file.exists() for file in died), within=180, what=f"{kills} deaths")
    kill_all(victims)
    return kills


def _before_the_claim(system: System) -> int:
    """Kill workers that were notified of tasks but have not claimed them."""
    queue = _own_queue()
    victims = system.workers(processes=WAVE, concurrency=1, queues=[queue])
    for worker in victims.registered():
        os.kill(worker.pid, signal.SIGSTOP)
    system.submit([prepare("test.effect", queue=queue) for _ in range(WAVE)])
    kill_all(victims)
    assert system.count(Status.PENDING) >= WAVE
    return WAVE


def _inside_the_claim(system: System, *, commit: bool) -> int:
    """Kill workers while their claim waits for the row of its task."""
    queue = _own_queue()
    ids = system.submit([prepare("test.effect", queue=queue) for _ in range(WAVE)])
    with rows_locked(system, ids) as locked:
        victims = system.workers(processes=WAVE, concurrency=1, queues=[queue])
        blocked = wait_until_blocked(system, "worker claim", WAVE)
        kill_all(victims)
        if not commit:
            cut_off(system, blocked)
        locked.rollback()
    return WAVE


def _after_the_claim(system: System) -> int:
    """Kill workers that hold claims, most of them not begun."""
    queue = _own_queue()
    file = system.directory / "never"
    input = {"file": str(file), "within": 1}
    system.submit([prepare("test.plain_effect", input, queue=queue) for _ in range(4 * WAVE)])
    victims = system.workers(
        processes=WAVE,
        concurrency=1,
        queues=[queue],
        registered=False,
        WORKER_PREFETCH_MULTIPLIER="4",
    )
    wait_until(lambda: system.count(Status.PROCESSING) > 2 * WAVE, what="claimed, not begun")
    kill_all(victims)
    return WAVE


def _inside_the_finish(system: System, *, commit: bool) -> int:
    """Kill workers while their finish waits for the row of its task."""
    queue = _own_queue()
    file = system.directory / queue
    began = Effect.objects.count()
    ids = system.submit(
        [prepare("test.plain_effect", {"file": str(file)}, queue=queue) for _ in range(WAVE)]
    )
    victims = system.workers(processes=WAVE, concurrency=1, queues=[queue])
    wait_until(lambda: Effect.objects.count() >= began + WAVE, within=60, what="all begun")
    with rows_locked(system, ids) as locked:
        file.touch()
        blocked = wait_until_blocked(system, "worker finish", WAVE)
        kill_all(victims)
        if not commit:
            cut_off(system, blocked)
        locked.rollback()
    return WAVE


def _own_queue() -> str:
    """Return a queue for one wave, so that the next wave does not take its unfinished tasks."""
    return f"wave-{uuid.uuid4().hex[:12]}"


def _calls(system: System) -> tuple[int, int]:
    """Return how often the outside was called, and how often a calling task crashed."""
    calls = sum(len(file.read_text().split()) for file in system.directory.glob("*.calls"))
    return calls, len(list(system.directory.glob("*.died")))
