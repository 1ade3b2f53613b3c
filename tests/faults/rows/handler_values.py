"""What handlers give the engine that cannot be stored: F01 and F02."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import requests

from tasks.lifecycle.preparation import prepare
from tasks.models import Attempt, Status, Task
from tasks.submission import Submission
from tests.faults.harness.processes import Workers
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.script.hostile import HOSTILE, UNUSUAL
from tests.waiting import wait_until

PLACES = ("thread", "process", "transactional")
NEIGHBOURS = 300
MEGABYTE = 1_000_000
# The most seconds that neighbours may take after the large results have been returned.
RECOVERY = 5.0


@row(
    "F01",
    title="what handlers say that cannot be stored: results, delays, follow-ups, progress, errors "
    "(each type, thread, child, transactional)",
    promise="its own attempt only",
    target="neighbours' attempts 0, worker deaths 0, list answers 200",
    limit=300,
)
def unstorable_values(system: System, dice: Dice) -> Measured:
    """Let handlers state every value of the tables, in each place, among harmless tasks."""
    hostile = _everything(HOSTILE)
    unusual = _everything(UNUSUAL)
    neighbours = _neighbours()
    mixed = [*hostile, *unusual, *neighbours]
    dice.shuffle(mixed)
    web = system.web()
    system.submit(mixed)
    workers = system.workers(processes=2, concurrency=4, RESULT_MAX_BYTES=str(MEGABYTE))
    pids = _pids(workers)
    answers = Counter[int]()
    while system.count(Status.PENDING, Status.PROCESSING):
        answers[requests.get(f"{web.url}/api/v1/tasks/", timeout=10).status_code] += 1
    wrong = [task for task in hostile if not _failed_as_it_must(task)]
    incomplete = Task.objects.filter(pk__in=[task.id for task in unusual])
    refused = incomplete.exclude(status=Status.COMPLETED).count()
    attempts = Attempt.objects.filter(task__in=[task.id for task in neighbours]).count()
    deaths = len(pids - _pids(workers))
    answers.update(_reads(web.url, hostile))
    return Measured(
        f"{len(hostile) - len(wrong)} of {len(hostile)} values failed their own attempts with the "
        f"right error, {refused} of {len(unusual)} unusual but valid ones were refused; "
        f"{attempts} attempts of {NEIGHBOURS} neighbours failed, {deaths} worker deaths; reads "
        f"answered {', '.join(f'{count} × {code}' for code, count in sorted(answers.items()))}",
        met=not wrong and not refused and not attempts and not deaths and set(answers) == {200},
    )


def _everything(statements: dict[str, Any]) -> list[Submission]:
    return [
        prepare(f"test.hostile.{place}", {"states": name})
        for place in PLACES
        for name in statements
    ]


def _neighbours() -> list[Submission]:
    return [
        prepare("test.effect" if number % 2 else "test.isolated_effect")
        for number in range(NEIGHBOURS)
    ]


def _failed_as_it_must(submission: Submission) -> bool:
    task = Task.objects.get(pk=submission.id)
    _, text = HOSTILE[task.input["states"]]
    most = 1 if task.error and task.error["type"] == "FatalError" else 2
    return (
        task.status == Status.FAILED
        and text in task.error["detail"]
        and task.attempts.count() == most
    )


def _reads(url: str, submissions: Sequence[Submission]) -> Counter[int]:
    """Return the statuses with which the API answers for each of these tasks."""
    return Counter(
        requests.get(f"{url}/api/v1/tasks/{submission.id}", timeout=10).status_code
        for submission in submissions
    )


def _pids(workers: Workers) -> set[int]:
    return {worker.pid for worker in workers.registered()}


@row(
    "F02",
    title="results of 20 MB, 300 MB, eight of 150 MB at once",
    promise="that task FAILED, others finish",
    target="stuck 0, recovery ≤ 5 s",
    limit=300,
)
def large_results(system: System, dice: Dice) -> Measured:
    """Return results over the limit; then, with a higher limit, as large ones as it allows."""
    sizes = [20 * MEGABYTE, 300 * MEGABYTE, *[150 * MEGABYTE] * 8]
    failed, stuck, recovery = _return_at_once(system, sizes)
    largest = [300 * MEGABYTE, *[150 * MEGABYTE] * 8]
    some_failed, some_stuck, slower = _return_at_once(system, largest, limit=200 * 2**20)
    return Measured(
        f"{failed} of {len(sizes)} failed at once, {stuck} tasks stuck, {NEIGHBOURS} others ended "
        f"{recovery:.1f} s after the results; beyond the row, with a limit of 200 MiB: "
        f"{some_failed} of 9 failed, the eight of 150 MB were stored, {some_stuck} tasks stuck, "
        f"the others ended after {slower:.1f} s",
        met=failed == len(sizes)
        and some_failed == 1
        and stuck + some_stuck == 0
        and recovery <= RECOVERY,
    )


def _return_at_once(
    system: System, sizes: Sequence[int], *, limit: int = 16 * 2**20
) -> tuple[int, int, float]:
    """Return how many failed, how many tasks are stuck, and when the neighbours had ended."""
    go = system.directory / f"go-{len(sizes)}"
    large = [prepare("test.large", {"bytes": size, "file": str(go)}) for size in sizes]
    ids = [task.id for task in large]
    workers = system.workers(processes=1, concurrency=16, RESULT_MAX_BYTES=str(limit))
    system.submit(large)
    running = Task.objects.filter(pk__in=ids, status=Status.PROCESSING)
    wait_until(lambda: running.count() == len(ids), within=60, what="all wait for the file")
    go.touch()
    began = time.monotonic()
    neighbours = [prepare("test.script") for _ in range(NEIGHBOURS)]
    system.submit(neighbours)
    waiting = Task.objects.filter(pk__in=[task.id for task in neighbours], finished_at=None)
    wait_until(lambda: not waiting.exists(), within=120, what="neighbours ended")
    recovery = time.monotonic() - began
    system.wait_until_ended(within=120)
    ended = Task.objects.filter(pk__in=ids)
    stuck = ended.exclude(status__in=(Status.COMPLETED, Status.FAILED)).count()
    workers.end()
    return ended.filter(status=Status.FAILED, attempt=1).count(), stuck, recovery
