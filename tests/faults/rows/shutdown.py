"""Stop signals to workers: R06 to R09."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from tasks.lifecycle.preparation import prepare
from tasks.models import Status
from tasks.submission import Submission
from tests.faults.harness.processes import Workers, is_running
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.script.models import Effect
from tests.waiting import wait_until

DRAIN_LIMIT = 20.0
ROUNDS = 5
LONG_DRAIN = 90.0
ORPHAN_LIMIT = 5.0

# Between the end of a drained worker and the next start of each of its tasks.
RESTARTS = """
    SELECT extract(epoch FROM next.at - to_timestamp(%(gone_at)s))::float
    FROM faults_history AS released
    JOIN LATERAL (
        SELECT at FROM faults_history AS claim
        WHERE claim.task_id = released.task_id AND claim.id > released.id
            AND claim.became = 'PROCESSING'
        ORDER BY claim.id LIMIT 1
    ) AS next ON true
    WHERE released.was = 'PROCESSING' AND released.became = 'PENDING'
"""


@row(
    "R06",
    title="SIGTERM under load, tasks shorter than the drain limit, 5 times",
    promise="all finish, exit 0",
    target="doubled 0, exit 0 within the drain limit (20 s)",
    limit=240,
)
def sigterm_under_load(system: System, dice: Dice) -> Measured:
    """Stop four processes in the middle of half-second tasks, again and again."""
    system.submit([prepare("test.effect", {"seconds": 0.5}) for _ in range(600)])
    codes, longest = set(), 0.0
    for _ in range(ROUNDS):
        workers = system.workers(
            processes=4, concurrency=4, WORKER_STOP_GRACE_PERIOD=_grace(DRAIN_LIMIT)
        )
        goal = min(system.count(Status.COMPLETED) + dice.randrange(20, 80), 600)
        wait_until(
            lambda goal=goal: system.count(Status.COMPLETED) >= goal, within=60, what="progress"
        )
        code, took = _stop(workers)
        codes.add(code)
        longest = max(longest, took)
    unspent = not system.queries.value("SELECT count(*) FROM tasks_attempt")
    system.workers(processes=4, concurrency=4)
    system.wait_until_ended(within=90)
    return Measured(
        f"exit codes {sorted(codes)}, at most {longest:.1f} s after the signal, "
        f"{Effect.objects.count()} effects of 600 tasks, "
        f"{'no attempt' if unspent else 'ATTEMPTS'} cut short",
        met=codes == {0} and longest <= DRAIN_LIMIT and unspent,
    )


@row(
    "R07",
    title="SIGTERM, tasks longer than the drain limit of 20 s that ignore it",
    promise="released and run elsewhere at once",
    target="process gone ≤ 25 s, restart ≤ 5 s after",
    limit=180,
)
def sigterm_with_long_tasks(system: System, dice: Dice) -> Measured:
    """Stop a worker with handlers that ignore it, beside one that can take over."""
    file = system.directory / "go on"
    system.submit([_long_task(file) for _ in range(4)])
    stopping = system.workers(
        processes=1, concurrency=4, WORKER_STOP_GRACE_PERIOD=_grace(DRAIN_LIMIT)
    )
    wait_until(lambda: Effect.objects.count() == 4, what="all begun")
    system.workers(processes=1, concurrency=4)
    code, took = _stop(stopping)
    gone_at = time.time()
    wait_until(lambda: Effect.objects.count() == 8, within=20, what="all begun elsewhere")
    restarts = [seconds for (seconds,) in system.queries.rows(RESTARTS, {"gone_at": gone_at})]
    file.touch()
    system.wait_until_ended(within=30)
    spent = system.queries.value("SELECT max(attempt) FROM tasks_task")
    return Measured(
        f"gone after {took:.1f} s with exit code {code}; {len(restarts)} tasks began elsewhere "
        f"{max(restarts):+.1f} s from then at the latest; {spent} attempt counted",
        met=took <= 25 and len(restarts) == 4 and max(restarts) <= 5 and spent == 1,
    )


@row(
    "R08",
    title="drain of 90 s (more than 3 leases) with a rescuer at work",
    promise="the heartbeat continues during the drain",
    target="duplicate starts 0",
    limit=240,
)
def a_long_drain(system: System, dice: Dice) -> Measured:
    """Drain for six leases beside a worker that rescues the tasks of dead workers."""
    file = system.directory / "go on"
    system.submit([_long_task(file) for _ in range(4)])
    draining = system.workers(
        processes=1, concurrency=4, WORKER_STOP_GRACE_PERIOD=_grace(2 * LONG_DRAIN)
    )
    wait_until(lambda: Effect.objects.count() == 4, what="all begun")
    system.workers(processes=1, concurrency=4)
    signalled_at = time.monotonic()
    draining.signal(signal.SIGTERM)
    oldest = 0.0
    while time.monotonic() < signalled_at + LONG_DRAIN:
        oldest = max(oldest, _oldest_heartbeat(system))
        time.sleep(0.5)
    file.touch()
    code = draining.wait(within=30)
    system.wait_until_ended(within=30)
    doubled = Effect.objects.count() - 4
    return Measured(
        f"{doubled} duplicate starts; heartbeat never older than {oldest:.1f} s, exit code {code}",
        met=doubled == 0 and code == 0,
    )


@row(
    "R09",
    title="two SIGTERMs / SIGINT then SIGTERM / SIGHUP, threads and children busy",
    promise="no orphaned process",
    target="0 processes 5 s after",
    limit=180,
)
def impatient_signals(system: System, dice: Dice) -> Measured:
    """Send each sequence of signals while threads ignore the stop and children sleep."""
    rounds = {
        "TERM TERM": [signal.SIGTERM, signal.SIGTERM],
        "INT TERM": [signal.SIGINT, signal.SIGTERM],
        "HUP": [signal.SIGHUP],
    }
    left, summaries = 0, []
    file = system.directory / "go on"
    for name, signals in rounds.items():
        # Tasks of earlier rounds may run again and count too.
        began = Effect.objects.count()
        system.submit([_long_task(file), *(_sleeping(system, name, n) for n in range(2))])
        workers = system.workers(processes=2, concurrency=4, WORKER_STOP_GRACE_PERIOD=_grace(2))
        wait_until(lambda n=began: Effect.objects.count() >= n + 3, within=30, what="begun")
        family = [workers.pid, *workers.descendants()]
        workers.signal(signals[0])
        for number in signals[1:]:
            # Closer together they could merge into one.
            time.sleep(1)
            workers.signal(number)
        seconds = _until_gone(family)
        left += sum(map(is_running, family))
        summaries.append(f"{name} {seconds:.1f} s")
    file.touch()
    system.workers(processes=1, concurrency=8)
    system.wait_until_ended(within=60)
    return Measured(
        f"{left} left; the last of {len(family)} processes gone, after the last signal: "
        f"{', '.join(summaries)}",
        met=left == 0,
    )


def _grace(seconds: float) -> str:
    return f"{seconds:g}s"


def _long_task(file: Path) -> Submission:
    return prepare("test.plain_effect", {"file": str(file), "within": 170})


def _sleeping(system: System, name: str, number: int) -> Submission:
    input = {"do": "sleep", "file": str(system.directory / f"{name}-{number}")}
    return prepare("test.harm", input, max_attempts=1)


def _stop(workers: Workers) -> tuple[int, float]:
    """Send SIGTERM; return the exit code and how long it took."""
    signalled_at = time.monotonic()
    workers.signal(signal.SIGTERM)
    code = workers.wait(within=60)
    return code, time.monotonic() - signalled_at


def _until_gone(family: list[int]) -> float:
    """Wait until none is left or the limit has passed; return the seconds."""
    began = time.monotonic()
    while any(map(is_running, family)) and time.monotonic() < began + ORPHAN_LIMIT:
        time.sleep(0.02)
    return time.monotonic() - began


def _oldest_heartbeat(system: System) -> float:
    return float(
        system.queries.value(
            "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - heartbeat_at)), 0)"
            " FROM tasks_worker"
        )
    )
