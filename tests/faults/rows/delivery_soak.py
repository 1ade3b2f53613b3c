"""Soak: half load with a fault a minute: R46. `SOAK_MINUTES` sets its length."""

from __future__ import annotations

import os
import signal
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields

import psutil
from django.db import Error, connection

from tasks.lifecycle.preparation import prepare
from tasks.submission import Submission
from tests.faults.harness.durations import percentile
from tests.faults.harness.processes import Workers, send
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System

MINUTES = float(os.environ.get("SOAK_MINUTES", "60"))
QUICK_MINUTES = 5.0
PROCESSES = 2
CALIBRATION = 3_000
LOAD = 0.5
TICK = 0.25
SAMPLE_SECONDS = 5.0
# By then each process has opened what it opens only once.
WARM_UP = 90.0
FAULT_SECONDS = 60.0
FROZEN_SECONDS = 20.0
# The growth from the first to the last third that counts as drift.
DRIFT = 0.10
DEAD_ROWS = """
    SELECT n_dead_tup FROM pg_stat_user_tables
    WHERE relname IN ('tasks_task', 'procrastinate_jobs') ORDER BY relname DESC
"""


@dataclass(frozen=True)
class Sample:
    """The system's resources at one moment; memory and descriptors per worker."""

    rss_mib: float
    descriptors: float
    connections: float
    dead_tasks: float
    dead_jobs: float


class Feeder(threading.Thread):
    """Submits tasks at a steady rate, whatever happens to the database."""

    def __init__(self, system: System, rate: float) -> None:
        super().__init__(name="feeder", daemon=True)
        self._system = system
        self._rate = rate
        self._stopped = threading.Event()
        self.failed = 0

    def run(self) -> None:
        """Submit until stopped."""
        owed = 0.0
        while not self._stopped.wait(TICK):
            owed += self._rate * TICK
            tasks, owed = int(owed), owed - int(owed)
            try:
                self._system.submit([_task() for _ in range(tasks)])
            except Error:
                # Not accepted, so these tasks do not count as lost.
                self.failed += tasks
                connection.close()
        connection.close()

    def stop(self) -> None:
        """Stop submitting."""
        self._stopped.set()
        self.join()


@row(
    "R46",
    title=f"soak at 50 % load with a random fault a minute, {MINUTES:g} min",
    promise="no drift",
    target="memory, descriptors, connections, dead rows flat ± 10 %; lost 0, doubled 0",
    limit=MINUTES * 60 + 600,
)
def soak(system: System, dice: Dice) -> Measured:
    """Work at half load with faults, and compare the last with the first third."""
    minutes = QUICK_MINUTES if system.quick else MINUTES
    workers = system.workers(processes=PROCESSES, concurrency=4)
    rate = LOAD * _capacity(system)
    feeder = Feeder(system, rate)
    feeder.start()
    samples: list[Sample] = []
    done: list[str] = []
    end = time.monotonic() + minutes * 60
    fault_at, sample_at = time.monotonic() + FAULT_SECONDS, time.monotonic() + WARM_UP
    while (now := time.monotonic()) < end:
        if now >= fault_at:
            fault_at += FAULT_SECONDS
            fault = dice.choice(FAULTS)
            done.append(fault.__name__.strip("_"))
            fault(system, workers, dice)
        if now >= sample_at and len(workers.registered()) == PROCESSES:
            sample_at += SAMPLE_SECONDS
            samples.append(_sample(system, workers))
        time.sleep(TICK)
    feeder.stop()
    system.wait_until_ended(within=120)
    # A crash can hide the acceptance of a completed task: only accepted ones may be lost. Not by
    # Django's connection, which a fault may have ended.
    completed = system.queries.rows("SELECT id FROM tasks_task WHERE status = 'COMPLETED'")
    lost = len(set(system.accepted.ids()) - {task_id for (task_id,) in completed})
    doubled = system.doubled()
    return _measured(samples, lost=lost, doubled=doubled, rate=rate, minutes=minutes, faults=done)


def _measured(
    samples: Sequence[Sample],
    *,
    lost: int,
    doubled: int,
    rate: float,
    minutes: float,
    faults: Sequence[str],
) -> Measured:
    third = max(1, len(samples) // 3)
    changes, is_flat = [], True
    for field in fields(Sample):
        values = [getattr(sample, field.name) for sample in samples]
        # Dead rows come and go with each vacuum: their 90th percentiles are compared.
        middle = _p90 if field.name.startswith("dead") else statistics.median
        first, last = middle(values[:third]), middle(values[-third:])
        is_flat &= last <= first * (1 + DRIFT)
        changes.append(f"{field.name} {first:.0f} → {last:.0f}")
    return Measured(
        f"{minutes:g} min at {rate:.0f} tasks/s, {len(faults)} faults "
        f"({', '.join(sorted(set(faults)))}); lost {lost}, doubled {doubled}; first and last "
        "third: " + ", ".join(changes),
        met=not lost and not doubled and is_flat,
    )


def _p90(values: Sequence[float]) -> float:
    return percentile(sorted(values), 90)


def _task() -> Submission:
    return prepare("test.effect", {"seconds": 0.01})


def _capacity(system: System) -> float:
    """Return how many tasks a second the workers can complete."""
    system.submit([_task() for _ in range(CALIBRATION)])
    began = time.monotonic()
    system.wait_until_ended(within=120)
    return CALIBRATION / (time.monotonic() - began)


def _sample(system: System, workers: Workers) -> Sample:
    usage = []
    for worker in workers.registered():
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(worker.pid)
            usage.append((process.memory_info().rss / 2**20, process.num_fds()))
    connections = system.queries.value(
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    )
    (dead_tasks,), (dead_jobs,) = system.queries.rows(DEAD_ROWS)
    rss, descriptors = (statistics.fmean(column) for column in zip(*usage, strict=True))
    return Sample(rss, descriptors, float(connections), float(dead_tasks), float(dead_jobs))


def _kill(system: System, workers: Workers, dice: Dice) -> None:
    """Kill one worker process."""
    if registered_now := workers.registered():
        system.kill(dice.choice(registered_now))


def _freeze(system: System, workers: Workers, dice: Dice) -> None:
    """Freeze one worker process beyond its lease."""
    if registered_now := workers.registered():
        pid = dice.choice(registered_now).pid
        send(pid, signal.SIGSTOP)
        threading.Timer(FROZEN_SECONDS, send, (pid, signal.SIGCONT)).start()


def _end_sessions(system: System, workers: Workers, dice: Dice) -> None:
    """End every session of the workers."""
    system.queries.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND usename = current_user"
    )


def _crash_database(system: System, workers: Workers, dice: Dice) -> None:
    """Crash the database and start it again."""
    system.server.crash()
    system.server.start()


def _delete_jobs(system: System, workers: Workers, dice: Dice) -> None:
    """Delete all waiting jobs; the reconciler must replace them."""
    system.queries.rows("DELETE FROM procrastinate_jobs WHERE status = 'todo'")


FAULTS: tuple[Callable[[System, Workers, Dice], None], ...] = (
    _kill,
    _freeze,
    _end_sessions,
    _crash_database,
    _delete_jobs,
)
