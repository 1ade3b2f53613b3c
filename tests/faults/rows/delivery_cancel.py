"""Cancellations and their answers, and retries of running tasks: R43, R44."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tasks import lifecycle
from tasks.lifecycle.preparation import prepare
from tasks.models import Status, Task
from tasks.submission import Submission
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.waiting import wait_until

EACH = 1_000
CALLERS = 4
AT_ONCE = 40
REPEATED = 10
STARTS = """
    SELECT count(*) FROM faults_history WHERE was = 'PENDING' AND became = 'PROCESSING'
"""
# The final statuses that each answer allows.
ALLOWED: dict[tuple[int, str], set[Status]] = {
    (200, Status.CANCELLED): {Status.CANCELLED},
    (202, Status.PROCESSING): {Status.CANCELLED, Status.COMPLETED, Status.FAILED},
    # Requested in time, and completed before the answer was written.
    (202, Status.COMPLETED): {Status.COMPLETED},
    (409, Status.COMPLETED): {Status.COMPLETED},
    (409, Status.CANCELLED): {Status.CANCELLED},
}


class Canceller:
    """HTTP clients that cancel tasks and record the answers."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._local = threading.local()
        self.answers: dict[uuid.UUID, tuple[int, str]] = {}

    def cancel(self, task_id: uuid.UUID) -> None:
        """Request one cancellation; after a refusal, read the task."""
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        task = f"{self._url}/api/v1/tasks/{task_id}"
        answer = self._local.session.post(f"{task}/cancel", timeout=30)
        code = answer.status_code
        if code == 409:
            answer = self._local.session.get(task, timeout=30)
        self.answers[task_id] = code, answer.json().get("status", "")

    def cancel_all(self, ids: Iterable[uuid.UUID]) -> Counter[tuple[int, str]]:
        """Cancel them, several at a time; count the answers."""
        task_ids = list(ids)
        with ThreadPoolExecutor(CALLERS) as callers:
            list(callers.map(self.cancel, task_ids))
        return Counter(self.answers[task_id] for task_id in task_ids)

    def contradictions(self) -> int:
        """Count the tasks with a final status that contradicts the answer."""
        final = dict(Task.objects.values_list("id", "status"))
        return sum(
            final[task_id] not in ALLOWED.get(answer, ())
            for task_id, answer in self.answers.items()
        )


@row(
    "R43",
    title="cancel while queued, running, being finished, and ended × 1,000 each",
    promise="one terminal status, reported truthfully",
    target="contradictions 0",
    limit=400,
)
def cancellations(system: System, dice: Dice) -> Measured:
    """Cancel tasks in each state over HTTP, and compare the answers with the final statuses."""
    canceller = Canceller(system.web().url)
    each = 6 * AT_ONCE if system.quick else EACH
    lifecycle.pause_queue("parked")
    parked = [prepare("test.effect", queue="parked") for _ in range(each)]
    queued = canceller.cancel_all(system.submit(parked))
    system.workers(processes=2, concurrency=AT_ONCE // 2)
    running = _cancel_running(system, canceller, each)
    finishing = _cancel_finishing(system, canceller, each, dice)
    system.wait_until_ended(within=60)
    ids = system.submit([prepare("test.effect") for _ in range(each)])
    system.wait_until_ended(within=60)
    ended = canceller.cancel_all(ids)
    contradictions = canceller.contradictions()
    phases = {"queued": queued, "running": running, "being finished": finishing, "ended": ended}
    return Measured(
        f"{contradictions} contradictions; "
        + "; ".join(f"{name}: {_count(answers)}" for name, answers in phases.items()),
        met=contradictions == 0 and len(canceller.answers) == 4 * each,
    )


@row(
    "R44",
    title="retry of 100 running tasks, ten times each, by verb, API and console",
    promise="refused or fenced",
    target="second starts 0",
    limit=180,
)
def retries_of_running_tasks(system: System, dice: Dice) -> Measured:
    """Request retries of running tasks; each way must refuse, and no task may start twice."""
    web, file = system.web(), system.directory / "go on"
    ids = system.submit([_waiting_for(file) for _ in range(100)])
    system.workers(processes=2, concurrency=50)
    wait_until(lambda: system.count(Status.PROCESSING) == 100, within=60, what="all run")
    operator = Client(SERVER_NAME="localhost")
    operator.force_login(User.objects.create_superuser("operator"))
    answers: Counter[str] = Counter()
    for _ in range(REPEATED):
        answers["verb moved"] += lifecycle.retry_many(ids)
        for task_id in dice.sample(ids, 20):
            answer = requests.post(f"{web.url}/api/v1/tasks/{task_id}/retry", timeout=30)
            answers[f"API {answer.status_code}"] += 1
        selected = {"action": "retry_selected", "_selected_action": [str(id) for id in ids]}
        code = operator.post(reverse("admin:tasks_task_changelist"), selected).status_code
        answers[f"console {code}"] += 1
    running = system.count(Status.PROCESSING)
    file.touch()
    system.wait_until_ended(within=60)
    starts = int(system.queries.value(STARTS))
    return Measured(
        f"{starts - 100} second starts; {running} of 100 still ran, "
        f"{system.count(Status.COMPLETED)} completed; {_count(answers)}",
        met=starts == running == system.count(Status.COMPLETED) == 100,
    )


def _cancel_running(system: System, canceller: Canceller, each: int) -> Counter[tuple[int, str]]:
    """Cancel running tasks that check for it, as many at once as there are slots."""
    never = system.directory / "never"
    answers: Counter[tuple[int, str]] = Counter()
    left = set(system.submit([_waiting_for(never) for _ in range(each)]))
    while left:
        running = wait_until(
            lambda: _running() - canceller.answers.keys(), within=30, what="some run"
        )
        answers += canceller.cancel_all(running)
        left -= running
    return answers


def _cancel_finishing(
    system: System, canceller: Canceller, each: int, dice: Dice
) -> Counter[tuple[int, str]]:
    """Cancel short tasks a few at a time, so that many are cancelled while they end."""
    answers: Counter[tuple[int, str]] = Counter()
    for _ in range(each // AT_ONCE):
        inputs = [{"seconds": dice.uniform(0, 0.3)} for _ in range(AT_ONCE)]
        ids = system.submit([prepare("test.effect", input) for input in inputs])
        answers += canceller.cancel_all(ids)
    return answers


def _running() -> set[uuid.UUID]:
    return set(Task.objects.filter(status=Status.PROCESSING).values_list("id", flat=True))


def _waiting_for(file: Path) -> Submission:
    return prepare("test.script", {"do": "wait for file", "file": str(file)})


def _count(answers: Counter[Any]) -> str:
    return ", ".join(
        f"{count} × {' '.join(map(str, answer)) if isinstance(answer, tuple) else answer}"
        for answer, count in sorted(answers.items(), key=str)
    )
