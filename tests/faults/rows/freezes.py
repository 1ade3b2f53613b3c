"""Frozen processes: R04, R05."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import DatabaseError, connection

from tasks import kinds, lifecycle, sql
from tasks.kinds import FatalError, Retry, Snooze
from tasks.kinds.exceptions import Cancel, LostClaim
from tasks.lifecycle.ending import Claim, Ending, completed, interrupted, raised, timed_out
from tasks.lifecycle.preparation import prepare
from tasks.models import Status, Task
from tasks.models.attempt import history_of
from tasks.submission import Submission
from tests.faults.harness.processes import is_running
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.script.models import Effect
from tests.waiting import wait_until

FROZEN_SECONDS = 60.0
HELD = 24
LIMIT = 4.0
MARGIN = 5.0

# Every way in which a worker may end an attempt.
WAYS: dict[str, Callable[[Claim], Ending]] = {
    "complete": lambda claim: completed(claim, {"stale": True}),
    "fail": lambda claim: raised(claim, kinds.get(claim.kind), FatalError("stale")),
    "retry": lambda claim: raised(claim, kinds.get(claim.kind), Retry(0)),
    "snooze": lambda claim: raised(claim, kinds.get(claim.kind), Snooze(0)),
    "cancel": lambda claim: raised(claim, kinds.get(claim.kind), Cancel("stale")),
    "time out": lambda claim: timed_out(claim, kinds.get(claim.kind)),
    "interrupt": interrupted,
}


@dataclass
class Tries:
    """Stale writes tried, and those that went through."""

    count: int = 0
    accepted: int = 0


@row(
    "R04",
    title="SIGSTOP of a worker with its supervisor for 60 s, then SIGCONT",
    promise="the stale worker is fenced",
    target="0 accepted stale writes of ≥ 100 tries",
    limit=240,
)
def a_frozen_worker(system: System, dice: Dice) -> Measured:
    """Freeze a worker beyond its lease; when it wakes, the next attempts run or have ended."""
    first, second = system.directory / "first", system.directory / "second"
    frozen = system.workers(processes=1, concurrency=HELD)
    ids = system.submit([_holding(first) for _ in range(HELD)])
    wait_until(lambda: Effect.objects.count() == HELD, what="all begun")
    claims = [_claim(task) for task in Task.objects.filter(pk__in=ids)]
    (zombie,) = frozen.registered()
    # The supervisor too, which would end it: a frozen machine stops both.
    frozen.signal(signal.SIGSTOP)
    os.kill(zombie.pid, signal.SIGSTOP)
    thaw_at = time.monotonic() + FROZEN_SECONDS
    # Half of the next attempts still run when the zombie wakes, half have ended.
    Task.objects.filter(pk__in=dice.sample(ids, HELD // 2)).update(input={"file": str(second)})
    system.workers(processes=1, concurrency=HELD)
    wait_until(lambda: Effect.objects.count() == 2 * HELD, within=45, what="all begun again")
    first.touch()
    wait_until(lambda: system.count(Status.COMPLETED) == HELD // 2, what="half completed")
    wait_until(lambda: time.monotonic() >= thaw_at, within=FROZEN_SECONDS, what="thaw")
    before = list(Task.objects.order_by("id").values())
    os.kill(zombie.pid, signal.SIGCONT)
    thawed_at = time.monotonic()
    wait_until(lambda: not is_running(zombie.pid), what="the zombie stops itself")
    fenced = time.monotonic() - thawed_at
    frozen.signal(signal.SIGCONT)
    tries = _replay(claims)
    changed = sum(a != b for a, b in zip(before, Task.objects.order_by("id").values(), strict=True))
    second.touch()
    system.wait_until_ended(within=30)
    return Measured(
        f"{tries.accepted} accepted of {tries.count} stale writes replayed ({len(WAYS)} endings "
        f"and progress for each of {HELD} claims), {changed} rows changed; the woken process "
        f"stopped itself after {fenced:.2f} s",
        met=tries.accepted == 0 and tries.count >= 100 and changed == 0,
    )


@row(
    "R05",
    title="SIGSTOP of a task's child process only",
    promise="the time limit applies",
    target="child killed within limit (4 s) + 5 s",
    limit=120,
)
def a_frozen_child(system: System, dice: Dice) -> Measured:
    """Freeze four children; each must be killed at its limit, and its worker must continue."""
    files = [system.directory / f"pid-{number}" for number in range(4)]
    ids = system.submit(
        [prepare("test.harm", {"do": "sleep", "file": str(file)}, max_attempts=1) for file in files]
    )
    workers = system.workers(processes=1, concurrency=4)
    (worker,) = workers.registered()
    pids = [_pid_in(file) for file in files]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    system.wait_until_ended(within=LIMIT + 4 * MARGIN)
    wait_until(lambda: not any(map(is_running, pids)), what="children gone")
    tasks = [system.task(id) for id in ids]
    longest = max(_seconds(task) for task in tasks)
    outcomes = {attempt.outcome for task in tasks for attempt in history_of(task)}
    alive = is_running(worker.pid)
    return Measured(
        f"{len(pids)} children killed after at most {longest:.1f} s "
        f"({', '.join(sorted(outcomes))}), worker {'alive' if alive else 'dead'}",
        met=longest <= LIMIT + MARGIN and outcomes == {"timed_out"} and alive,
    )


def _holding(file: Path) -> Submission:
    return prepare("test.plain_effect", {"file": str(file), "within": 240})


def _claim(task: Task) -> Claim:
    assert task.job_id is not None
    return Claim(
        id=task.pk,
        job_id=task.job_id,
        kind=task.kind,
        queue=task.queue,
        owner_id=None,
        input=task.input,
        attempt=task.attempt,
        max_attempts=task.max_attempts,
        claim_number=task.claim_number,
    )


def _replay(claims: list[Claim]) -> Tries:
    """Write every ending that the zombie could have written had it not stopped itself."""
    tries = Tries()
    for claim in claims:
        for end in WAYS.values():
            tries.count += 1
            try:
                lifecycle.finish(end(claim), worker="zombie")
            except LostClaim:
                continue
            except DatabaseError as error:
                raise AssertionError("a stale write must be ignored, not refused") from error
            tries.accepted += 1
        tries.count += 1
        tries.accepted += _report_progress(claim.id, claim.claim_number)
    return tries


def _report_progress(task_id: uuid.UUID, claim_number: int) -> int:
    params: dict[str, Any] = {
        "task_ids": [task_id],
        "claim_numbers": [claim_number],
        "percents": [99],
        "messages": ["stale"],
    }
    with connection.cursor() as cursor:
        cursor.execute(sql.PROGRESS, params)
        return int(cursor.rowcount)


def _pid_in(file: Path) -> int:
    return int(wait_until(lambda: file.exists() and file.read_text(), what="child started"))


def _seconds(task: Task) -> float:
    assert task.finished_at is not None
    assert task.started_at is not None
    return (task.finished_at - task.started_at).total_seconds()
