"""Handlers that harm the process they run in: R11 to R15."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from tasks.lifecycle.preparation import prepare
from tasks.models import Status, Task
from tasks.models.attempt import history_of
from tasks.submission import Submission
from tests.faults.harness.processes import is_running
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.script.models import Effect
from tests.waiting import wait_until

NEIGHBOURS = 300
# The time limit of the kind test.harm.
HARD_LIMIT = 4.0
MARGIN = 5.0
HEARTBEAT_GAP = 10.0
# A lease, and the time to notice its end.
BLOCKED_LIMIT = 15.0 + MARGIN


@row(
    "R11",
    title="handlers that call os._exit(1), SIGKILL themselves, segfault",
    promise="quarantined after 3 crashes, neighbours untouched",
    target="exactly 3 runs, 0 neighbour failures",
    limit=180,
)
def poison_tasks(system: System, dice: Dice) -> Measured:
    """Mix three poison tasks, and one that kills its whole worker, with harmless ones."""
    poison = [_harm(do, attempts=9) for do in ("exit", "kill itself", "segfault")]
    killer = prepare("test.script", {"do": "die"}, max_attempts=9)
    ids = _submit_mixed(system, dice, [*poison, killer])
    workers = system.workers(processes=2, concurrency=4)
    system.wait_until_ended(within=150)
    runs = [Effect.objects.filter(task_id=task.id).count() for task in poison]
    deaths = len(history_of(system.task(killer.id)))
    failures = _failures_among_neighbours(ids)
    kept = len(workers.registered())
    return Measured(
        f"{', '.join(map(str, runs))} runs in children, {deaths} of the one that kills its worker; "
        f"{failures} failures of {NEIGHBOURS} neighbours; {kept} of 2 workers alive",
        met=runs == [3, 3, 3] and deaths == 3 and failures == 0,
    )


@row(
    "R12",
    title="handler allocates until its memory limit",
    promise="only the child dies",
    target="failed, parent up",
    limit=120,
)
def excessive_memory(system: System, dice: Dice) -> Measured:
    """Let four tasks allocate up to their memory limit, beside harmless ones."""
    memory_tasks = [_harm("use too much memory", attempts=2) for _ in range(4)]
    ids = _submit_mixed(system, dice, memory_tasks)
    workers = system.workers(processes=1, concurrency=4)
    pids = {worker.pid for worker in workers.registered()}
    system.wait_until_ended(within=90)
    errors = _errors(task.id for task in memory_tasks)
    failures = _failures_among_neighbours(ids)
    up = {worker.pid for worker in workers.registered()} == pids
    return Measured(
        f"4 tasks ended with {_in_words(errors)}; {failures} failures of {NEIGHBOURS} neighbours; "
        f"worker {'up' if up else 'REPLACED'}",
        met=up and failures == 0 and set(errors) <= {"MemoryError", "Crashed"},
    )


@row(
    "R13",
    title="endless computing in C that holds the GIL: a power, a regular expression, a sum",
    promise="the hard limit applies",
    target="killed within limit (4 s) + 5 s, heartbeat gap ≤ 10 s",
    limit=240,
)
def endless_computing(system: System, dice: Dice) -> Measured:
    """Watch the worker's heartbeat while its children hold their GIL."""
    endless = [_harm(do) for do in ("power", "regex", "sum", "sum")]
    ids = _submit_mixed(system, dice, endless)
    workers = system.workers(processes=1, concurrency=4)
    gap = _watch_heartbeat(system, lambda: not system.count(Status.PENDING, Status.PROCESSING))
    longest = max(_seconds(system.task(task.id)) for task in endless)
    outcomes = Counter(
        attempt.outcome for task in endless for attempt in history_of(system.task(task.id))
    )
    failures = _failures_among_neighbours(ids)
    workers.end()
    blocked = _blocked_process(system)
    return Measured(
        f"ended after at most {longest:.1f} s ({_in_words(outcomes)}), heartbeat gap {gap:.1f} s, "
        f"{failures} failures of {NEIGHBOURS} neighbours; beyond the row, one in a thread of the "
        f"worker itself: its process was ended after {blocked:.1f} s",
        met=longest <= HARD_LIMIT + MARGIN
        and gap <= HEARTBEAT_GAP
        and failures == 0
        and blocked <= BLOCKED_LIMIT,
    )


@row(
    "R14",
    title="handler starts grandchildren and hangs",
    promise="the whole group is killed",
    target="0 processes left",
    limit=120,
)
def grandchildren(system: System, dice: Dice) -> Measured:
    """Time out two tasks with three grandchildren each, and one with some outside its group."""
    inside, outside = [system.directory / f"inside-{n}" for n in range(2)], system.directory / "out"
    system.submit([_parent(file) for file in inside])
    system.submit([_parent(outside, own_session=True)])
    system.workers(processes=1, concurrency=4)
    group, strays = [pid for file in inside for pid in _pids_in(file)], _pids_in(outside)
    system.wait_until_ended(within=30)
    ended_at = time.monotonic()
    while any(map(is_running, group + strays)) and time.monotonic() < ended_at + MARGIN:
        time.sleep(0.02)
    left, strayed = sum(map(is_running, group)), sum(map(is_running, strays))
    return Measured(
        f"{left} of {len(group)} grandchildren left {time.monotonic() - ended_at:.1f} s after the "
        f"task ended; beyond the row, {strayed} of {len(strays)} left that were started in "
        "sessions of their own",
        met=left == strayed == 0,
    )


@row(
    "R15",
    title="handler opens files up to the limit",
    promise="other tasks are not affected",
    target="100 % of the other tasks finish",
    limit=120,
)
def file_openers(system: System, dice: Dice) -> Measured:
    """Let four tasks use up their file descriptors, beside harmless ones."""
    openers = [_harm("files", attempts=2) for _ in range(4)]
    ids = _submit_mixed(system, dice, openers)
    workers = system.workers(processes=1, concurrency=4)
    pids = {worker.pid for worker in workers.registered()}
    system.wait_until_ended(within=90)
    errors = _errors(task.id for task in openers)
    finished = NEIGHBOURS - _failures_among_neighbours(ids)
    up = {worker.pid for worker in workers.registered()} == pids
    return Measured(
        f"{finished / NEIGHBOURS:.0%} of {NEIGHBOURS} others completed; the 4 ended with "
        f"{_in_words(errors)}; worker {'up' if up else 'REPLACED'}",
        met=finished == NEIGHBOURS and up,
    )


def _blocked_process(system: System) -> float:
    """Return how long a process lived after one of its threads blocked it."""
    began = Effect.objects.count()
    ids = system.submit([prepare("test.block")])
    blocked = system.workers(processes=1, concurrency=2)
    (worker,) = blocked.registered()
    wait_until(lambda: Effect.objects.count() > began, what="computing")
    computes_at = time.monotonic()
    wait_until(lambda: not is_running(worker.pid), within=60, what="process killed")
    took = time.monotonic() - computes_at
    wait_until(lambda: system.task(ids[0]).is_terminal, within=60, what="the task ended")
    return took


def _harm(do: str, *, attempts: int = 1) -> Submission:
    return prepare("test.harm", {"do": do}, max_attempts=attempts)


def _parent(file: Path, *, own_session: bool = False) -> Submission:
    input = {"do": "grandchildren", "file": str(file), "own session": own_session}
    return prepare("test.harm", input, max_attempts=1)


def _submit_mixed(system: System, dice: Dice, harmful: list[Submission]) -> list[uuid.UUID]:
    """Submit the harmful tasks at random places among neighbours; return the neighbours' ids."""
    neighbours = [
        prepare("test.effect" if number % 2 else "test.isolated_effect")
        for number in range(NEIGHBOURS)
    ]
    mixed = [*neighbours]
    for task in harmful:
        mixed.insert(dice.randrange(len(mixed)), task)
    system.submit(mixed)
    return [task.id for task in neighbours]


def _failures_among_neighbours(ids: list[uuid.UUID]) -> int:
    return Task.objects.filter(pk__in=ids).exclude(status=Status.COMPLETED).count()


def _errors(ids: Iterable[uuid.UUID]) -> Counter[str]:
    return Counter(task.error["type"] for task in Task.objects.filter(pk__in=list(ids)))


def _in_words(counts: Counter[str]) -> str:
    return ", ".join(f"{count} × {what}" for what, count in sorted(counts.items()))


def _watch_heartbeat(system: System, done: Callable[[], bool]) -> float:
    """Return the greatest age that a heartbeat reached before `done` was true."""
    gap, end = 0.0, time.monotonic() + 90
    while not done() and time.monotonic() < end:
        age = system.queries.value(
            "SELECT max(extract(epoch FROM clock_timestamp() - heartbeat_at)) FROM tasks_worker"
        )
        gap = max(gap, float(age))
        time.sleep(0.2)
    return gap


def _pids_in(file: Path) -> list[int]:
    text = wait_until(lambda: file.exists() and file.read_text(), what="grandchildren started")
    return [int(word) for word in text.split()]


def _seconds(task: Task) -> float:
    assert task.finished_at is not None
    assert task.started_at is not None
    return (task.finished_at - task.started_at).total_seconds()
