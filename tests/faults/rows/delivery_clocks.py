"""Wrong clocks: R41."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.db import connection

from tasks.lifecycle.preparation import prepare
from tasks.models import Status, Task, Worker
from tasks.submission import Submission
from tests.faults.harness.processes import send
from tests.faults.harness.recovery import Recovery
from tests.faults.harness.row import Dice, Measured, NotRun, row
from tests.faults.harness.system import System
from tests.script.models import Effect
from tests.waiting import wait_until

# Debian's package `faketime`, in the directory of each architecture.
LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
AHEAD, BEHIND, RIGHT = "+10m", "-10m", "+0"
HELD = 4
# Longer than a lease with every margin.
LONG = 35.0
RECOVERY_LIMIT = 30.0
# How long a late rescue is waited for.
PATIENCE = 60.0
LOST = "SELECT count(*) FROM tasks_attempt WHERE outcome = 'lost'"


@row(
    "R41",
    title="a worker's clock 10 min ahead, another's 10 min behind; then the database's clock "
    "steps 10 min ahead, and back",
    promise="leases end by the database's clock",
    target="premature rescues 0, late rescues 0",
    limit=400,
)
def wrong_clocks(system: System, dice: Dice) -> Measured:
    """Run long tasks under wrong clocks, kill their workers, then step the database's clock."""
    if not LIBRARIES:
        raise NotRun("libfaketime is not installed")
    premature, recovery = _wrong_workers(system)
    late = recovery.longest
    with _database_clock(system) as step:
        premature_by_step, late_by_step = _stepped_database(system, step)
    summary = f"{late_by_step:.0f} s" if late_by_step < PATIENCE else f"more than {PATIENCE:.0f} s"
    return Measured(
        f"workers' clocks: {premature} premature rescues, {len(recovery.seconds)} tasks of killed "
        f"workers began again after at most {late:.1f} s; database ten minutes ahead at once: "
        f"{premature_by_step} premature rescues of {HELD}; back at once: a killed worker's tasks "
        f"began again after {summary}",
        met=len(recovery.seconds) == 2 * HELD
        and not premature
        and not premature_by_step
        and max(late, late_by_step) <= RECOVERY_LIMIT,
    )


def _wrong_workers(system: System) -> tuple[int, Recovery]:
    """Return the premature rescues, and the waits for the next start after a kill."""
    file, wrong = system.directory / "workers", []
    for number, clock in enumerate((AHEAD, BEHIND), 1):
        system.submit([_holding(file) for _ in range(HELD)])
        faked = _faked(FAKETIME=clock)
        wrong.append(
            system.workers(processes=1, concurrency=HELD, queues=(), registered=True, **faked)
        )
        _wait_for_starts(HELD * number)
    system.workers(processes=1, concurrency=2 * HELD)
    time.sleep(LONG)
    premature = int(system.queries.value(LOST))
    for workers in wrong:
        for worker in workers.registered():
            system.kill(worker)
    _wait_for_starts(4 * HELD)
    file.touch()
    system.wait_until_ended(within=60)
    for workers in wrong:
        workers.end()
    return premature, system.recovery()


def _stepped_database(system: System, step: Callable[[str], None]) -> tuple[int, float]:
    """Return the premature rescues by a step ahead, the seconds to a rescue after a step back."""
    file = system.directory / "database"
    before, lost = Effect.objects.count(), int(system.queries.value(LOST))
    ids = system.submit([_holding(file) for _ in range(HELD)])
    _wait_for_starts(before + HELD)
    step(AHEAD)
    time.sleep(LONG)
    premature = int(system.queries.value(LOST)) - lost
    wait_until(lambda: system.count(Status.PROCESSING) == HELD, within=30, what="all run")
    holders = set(Task.objects.filter(id__in=ids).values_list("worker_id", flat=True))
    pids = Worker.objects.filter(id__in=holders).values_list("pid", flat=True)
    started = Effect.objects.count()
    for pid in pids:
        send(pid, signal.SIGKILL)
    step(RIGHT)
    killed_at = time.monotonic()
    with suppress(AssertionError):
        _wait_for_starts(started + HELD, within=PATIENCE)
    late = time.monotonic() - killed_at
    # Let everything that still waits for the clock continue.
    step(AHEAD)
    file.touch()
    system.wait_until_ended(within=60)
    return premature, late


@contextmanager
def _database_clock(system: System) -> Iterator[Callable[[str], None]]:
    """Restart the server under a clock that can be stepped, and afterwards under the real one."""
    clock = system.directory / "clock"

    def step(by: str) -> None:
        new = clock.with_suffix(".new")
        new.write_text(f"{by}\n")
        new.chmod(0o644)
        new.rename(clock)

    step(RIGHT)
    faked = _faked(FAKETIME_TIMESTAMP_FILE=str(clock), FAKETIME_NO_CACHE="1")
    system.server.stop()
    system.server.environment.update(faked)
    try:
        system.server.start()
        connection.close()
        yield step
    finally:
        system.server.environment.clear()
        connection.close()
        system.server.stop()
        system.server.start()


def _faked(**environment: str) -> dict[str, str]:
    """Return the environment that fakes the time of day but not the monotonic clock."""
    return {
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        **environment,
    }


def _holding(file: Path) -> Submission:
    return prepare("test.hold", {"file": str(file)})


def _wait_for_starts(count: int, *, within: float = 60.0) -> None:
    wait_until(lambda: Effect.objects.count() >= count, within=within, what=f"{count} starts")
