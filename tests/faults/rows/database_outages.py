"""Database outages: R19, R20, R21."""

from __future__ import annotations

import time

import psutil
from django.db import connection

from tasks.lifecycle.preparation import prepare
from tasks.models import Status
from tests.faults.harness.callers import Callers
from tests.faults.harness.processes import Workers
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.waiting import wait_until

HEARTBEAT_LIMIT = 15.0


@row(
    "R19",
    title="crash and restart of PostgreSQL every 5–40 s, down 0–2 s, 10 min, 5,000 tasks",
    promise="everything continues",
    target="lost 0, doubled 0, all workers alive after",
    limit=1_000,
)
def monkey(system: System, dice: Dice) -> Measured:
    """Crash the server again and again while 5,000 tasks run, half of them transactional."""
    tasks, lasting = (1_000, 100.0) if system.quick else (5_000, 600.0)
    workers = system.workers(processes=2, concurrency=4)
    registered_now = workers.registered()
    seconds = 8 * lasting / tasks * 0.9
    effects = [prepare("test.effect", {"seconds": 2 * seconds}) for _ in range(tasks // 2)]
    quick = [prepare("test.script", {"value": n}) for n in range(tasks // 2)]
    both = effects + quick
    dice.shuffle(both)
    system.submit(both)
    began, crashes = time.monotonic(), 0
    while (left := began + lasting - time.monotonic()) > 0:
        time.sleep(min(left, dice.uniform(5, 40)))
        system.server.crash()
        crashes += 1
        time.sleep(dice.uniform(0, 2))
        system.server.start()
    system.wait_until_ended(within=300)
    took = time.monotonic() - began
    lost = tasks - system.count(Status.COMPLETED)
    same = workers.registered() == registered_now
    return Measured(
        f"{crashes} crashes, lost {lost} of {tasks:,}, doubled {system.doubled()}, in "
        f"{took:.0f} s; worker processes {'outlived them all' if same else 'were replaced'}",
        met=lost == 0 and len(workers.registered()) == len(registered_now),
    )


@row(
    "R20",
    title="outages of 12 s, 45 s and 5 min, all slots busy",
    promise="a worker resumes, or exits and is restarted; none stays without a heartbeat",
    target="heartbeat of every live process ≤ 15 s old, 15 s after the recovery",
    limit=900,
)
def outages(system: System, dice: Dice) -> Measured:
    """Stop the server for longer and longer while every slot is in the middle of a task."""
    workers = system.workers(processes=2, concurrency=4)
    file = system.directory / "go on"
    delays = []
    for down in (12.0, 45.0, 60.0 if system.quick else 300.0):
        file.unlink(missing_ok=True)
        connection.close()
        system.submit([prepare("test.plain_effect", {"file": str(file)}) for _ in range(8)])
        wait_until(lambda: system.count(Status.PROCESSING) == 8, what="all slots busy")
        dice.choice([system.server.crash, system.server.stop])()
        time.sleep(down)
        system.server.start()
        up_at = time.monotonic()
        wait_until(lambda: _all_beat(system, workers), within=60, what="all processes beat")
        delays.append((down, time.monotonic() - up_at))
        file.touch()
        system.wait_until_ended(within=60)
    summary = ", ".join(f"{after:.1f} s after {down:.0f} s" for down, after in delays)
    return Measured(
        f"every live process renewed its lease {summary}",
        met=all(after <= HEARTBEAT_LIMIT for _, after in delays),
    )


def _all_beat(system: System, workers: Workers) -> bool:
    """Return whether each living worker process, registered or not, has a fresh heartbeat."""
    fresh = system.queries.rows(
        "SELECT pid FROM tasks_worker WHERE heartbeat_at > clock_timestamp() - interval '15 s'"
        " AND heartbeat_at > pg_postmaster_start_time()"
    )
    living = {child.pid for child in psutil.Process(workers.pid).children()}
    return len(living) == workers.processes and living <= {pid for (pid,) in fresh}


@row(
    "R21",
    title="the API during outages",
    promise="503 with Retry-After, nothing acknowledged",
    target="accepted and committed differ by 0",
)
def api_outage(system: System, dice: Dice) -> Measured:
    """Crash and stop the database while four callers submit."""
    web = system.web()
    system.workers(processes=1)
    acknowledged = 0
    with Callers(web.url, system.accepted) as callers:
        for take_away in (system.server.crash, system.server.stop):
            calm = time.monotonic()
            wait_until(lambda at=calm: callers.statuses(since=at)[202] > 100, what="load")
            take_away()
            gone_at = time.monotonic() + 0.1
            time.sleep(dice.uniform(8, 12))
            acknowledged += callers.statuses(since=gone_at)[202]
            system.server.start()
            back = time.monotonic()
            wait_until(lambda at=back: callers.statuses(since=at)[202] > 100, what="load again")
    system.wait_until_ended(within=60)
    statuses = callers.statuses()
    retry_after = [answer.retry_after for answer in callers.answers if answer.status == 503]
    accepted = set(system.accepted.ids())
    committed = {task for (task,) in system.queries.rows("SELECT id FROM tasks_task")}
    slowest = max(answer.seconds for answer in callers.answers)
    return Measured(
        f"{statuses[202]} × 202, {statuses[503]} × 503, others {_others(statuses)}; acknowledged "
        f"meanwhile {acknowledged}; accepted but not committed {len(accepted - committed)}, "
        f"committed but not accepted {len(committed - accepted)}; slowest {slowest:.1f} s",
        met=not acknowledged
        and accepted == committed
        and all(retry_after)
        and not _others(statuses),
    )


def _others(statuses: dict[int, int]) -> int:
    return sum(count for status, count in statuses.items() if status not in (202, 503))
