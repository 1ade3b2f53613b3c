"""Killed leaders and parents: R16, R17."""

from __future__ import annotations

import os
import signal
import time

import psycopg

from tasks import lifecycle
from tasks.lifecycle import RESCUE_LOCK
from tasks.lifecycle.preparation import prepare
from tasks.models import Status
from tests.factories import make_worker
from tests.faults.harness.processes import Workers, is_running, send
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.lifecycle.claiming import claim
from tests.waiting import wait_until

ROUNDS = 5
LEADER_GAP = 10.0
ORPHAN_LIMIT = 2.0

# The worker that holds the rescuers' lock, by the name of its connections.
LEADER = """
    SELECT activity.application_name
    FROM pg_locks AS lock
    JOIN pg_stat_activity AS activity ON activity.pid = lock.pid
    WHERE lock.locktype = 'advisory' AND lock.objid = %(key)s AND lock.granted
"""


@row(
    "R16",
    title="kill -9 of the rescuing process and its supervisor in the middle of a rescue, 5 times",
    promise="another process takes over",
    target="leader gap ≤ 10 s",
    limit=240,
)
def a_killed_leader(system: System, dice: Dice) -> Measured:
    """Hold the leader inside its rescue by a lock, kill it, and time the rescue by another."""
    fleet = {f"fleet-{number}": _named_worker(system, number) for number in range(3)}
    gaps = []
    for number in range(3, 3 + ROUNDS):
        (lost,) = system.submit([prepare("test.effect", queue=f"lost-{number}")])
        claim(make_worker(silent_for=60), queues=[f"lost-{number}"])
        with psycopg.connect(system.server.url) as session:
            session.execute("LOCK TABLE tasks_attempt IN SHARE MODE")
            leader = wait_until(
                lambda: system.queries.rows(LEADER, {"key": RESCUE_LOCK}), what="a leader"
            )[0][0]
            _kill_all(fleet.pop(leader))
            killed_at = time.monotonic()
        wait_until(lambda id=lost: system.task(id).status != Status.PROCESSING, what="rescued")
        gaps.append(time.monotonic() - killed_at)
        fleet[f"fleet-{number}"] = _named_worker(system, number)
    system.workers(processes=1)
    system.wait_until_ended(within=60)
    text = ", ".join(f"{gap:.1f}" for gap in gaps)
    return Measured(f"gaps of {text} s", met=max(gaps) <= LEADER_GAP)


@row(
    "R17",
    title="kill -9 of the parent only: of a worker with busy children, of the supervisor",
    promise="the children end",
    target="0 orphans after 2 s",
    limit=180,
)
def killed_parents(system: System, dice: Dice) -> Measured:
    """Kill a worker process with busy children, then a supervisor: its workers drain."""
    files = [system.directory / f"pid-{number}" for number in range(4)]
    system.submit([prepare("test.harm", {"do": "sleep", "file": str(file)}) for file in files])
    workers = system.workers(processes=1, concurrency=4)
    for file in files:
        wait_until(lambda file=file: file.exists() and file.read_text(), what="child started")
    (worker,) = workers.registered()
    below = [pid for pid in workers.descendants() if pid != worker.pid]
    children_gone = _kill_and_time(worker.pid, below)
    workers.end()
    lifecycle.cancel_many(system.accepted.ids())
    system.submit([prepare("test.effect", {"seconds": 0.5}) for _ in range(100)])
    draining = system.workers(processes=2, concurrency=4)
    wait_until(lambda: system.count(Status.COMPLETED), what="work under way")
    processes = draining.descendants()
    workers_gone = _kill_and_time(draining.pid, processes)
    system.workers(processes=1, concurrency=8)
    system.wait_until_ended(within=60)
    return Measured(
        f"the fork server and {len(below) - 1} children of a killed worker gone after "
        f"{children_gone:.2f} s; {len(processes)} processes below a killed supervisor, busy with "
        f"tasks of 0.5 s, gone after {workers_gone:.2f} s",
        met=max(children_gone, workers_gone) <= ORPHAN_LIMIT,
    )


def _named_worker(system: System, number: int) -> Workers:
    # The rescuer's connection is Django's, which has no name of its own.
    return system.workers(
        processes=1, concurrency=2, queues=["nothing"], PGAPPNAME=f"fleet-{number}"
    )


def _kill_all(workers: Workers) -> None:
    for pid in [workers.pid, *workers.descendants()]:
        send(pid, signal.SIGKILL)
    workers.wait()


def _kill_and_time(pid: int, below: list[int]) -> float:
    """Kill a process; return the seconds until all below it are gone."""
    os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    wait_until(lambda: not any(map(is_running, below)), within=40, what="gone")
    return time.monotonic() - began
