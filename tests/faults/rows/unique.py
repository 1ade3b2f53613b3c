"""Unique tasks and debounce under kills: F04."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, LiteralString

import requests

from tasks.models import Status
from tests.faults.harness.processes import Workers
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System, Web
from tests.waiting import wait_until

PARALLEL = 200
DELAY, LONGEST_WAIT = 2, 60

# The most tasks of one key that were unfinished at one moment, by the ledger.
MOST_UNFINISHED: LiteralString = """
    SELECT coalesce(max(unfinished), 0) FROM (
        SELECT sum(CASE WHEN was IS NULL THEN 1 ELSE -1 END) OVER (
            PARTITION BY task.metadata ->> 'key' ORDER BY step.at, step.id
        ) AS unfinished
        FROM faults_history AS step
        JOIN tasks_task AS task ON task.id = step.task_id
        WHERE was IS NULL OR became IN ('COMPLETED', 'FAILED', 'CANCELLED')
    ) AS moments
"""
# Debounced tasks that began before the time that the last request asked for.
TOO_EARLY: LiteralString = """
    SELECT count(*) FROM tasks_task
    WHERE metadata ->> 'key' LIKE 'debounced%%' AND started_at < scheduled_at
"""


@row(
    "F04",
    title=f"{PARALLEL} parallel requests for one unique task, {PARALLEL} that put off one start, 50"
    " times each; a worker is killed while it holds the task",
    promise="one task",
    target="tasks of one key 1, unfinished at once ≤ 1; debounced: 1 task with the last request's"
    " values, begun when that says",
    limit=1_800,
)
def unique(system: System, dice: Dice) -> Measured:
    """Send the same request many times at once, and kill the workers that hold the task."""
    rounds = 5 if system.quick else 50
    web = system.web(API_ALLOW_ANONYMOUS="true")
    workers = system.workers(processes=3, concurrency=2)
    kills, most, wrong = 0, 0, Counter[str]()
    with ThreadPoolExecutor(PARALLEL) as pool:
        for number in range(rounds):
            held = _hold(system, web, pool, number, wrong)
            kills += _kill_holder(system, workers, held)
            most = max(most, _debounce(system, web, pool, number, wrong))
            (system.directory / f"go on {number}").touch()
    system.wait_until_ended(within=120)
    unfinished = system.queries.value(MOST_UNFINISHED)
    early = system.queries.value(TOO_EARLY)
    failed = system.count(Status.FAILED, Status.CANCELLED)
    return Measured(
        f"{rounds} × 2 × {PARALLEL} requests, {kills} kills of holders: at most {most} task(s) of a"
        f" key, {unfinished} unfinished at once; {early} began too early, {failed} failed; wrong"
        f" answers {dict(wrong) or 0}",
        met=most == unfinished == 1 and early == failed == 0 and not wrong and kills == rounds,
    )


def _hold(
    system: System, web: Web, pool: ThreadPoolExecutor, number: int, wrong: Counter[str]
) -> str:
    """Submit a task that runs until its file exists, many times at once; return its id."""
    key = f"held {number}"
    file = str(system.directory / f"go on {number}")

    def body(_: int) -> dict[str, Any]:
        return {
            "input": {"do": "wait for file", "file": file},
            "unique": {"key": key},
        }

    answers = _at_once(web, pool, key, body)
    _check(answers, "existing", wrong)
    return str(answers[0].json()["task_id"])


def _debounce(
    system: System, web: Web, pool: ThreadPoolExecutor, number: int, wrong: Counter[str]
) -> int:
    """Put one start off many times at once; return how many tasks there are of its key."""
    key = f"debounced {number}"

    def body(value: int) -> dict[str, Any]:
        return {
            "input": {"value": value},
            "delay": DELAY,
            "unique": {
                "key": key,
                "while": "waiting",
                "on_conflict": "replace",
                "longest_wait": LONGEST_WAIT,
            },
        }

    answers = _at_once(web, pool, key, body)
    _check(answers, "replaced", wrong)
    tasks = system.queries.rows(
        "SELECT input -> 'value' FROM tasks_task WHERE metadata ->> 'key' = %(key)s", {"key": key}
    )
    # The order of commits is that of the times; a tie may be either.
    last = max(answer.json()["scheduled_at"] for answer in answers)
    values = [answer.json()["input"]["value"] for answer in answers]
    stored = system.queries.value(
        "SELECT to_char(scheduled_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
        " FROM tasks_task WHERE metadata ->> 'key' = %(key)s",
        {"key": key},
    )
    if stored != last:
        wrong[f"start {stored} instead of {last}"] += 1
    if any(value not in values for (value,) in tasks):
        wrong["input of no request"] += 1
    return len(tasks)


def _at_once(
    web: Web, pool: ThreadPoolExecutor, key: str, body: Callable[[int], dict[str, Any]]
) -> list[requests.Response]:
    def post(value: int) -> requests.Response:
        document = {"kind": "test.script", "metadata": {"key": key}, **body(value)}
        return requests.post(f"{web.url}/api/v1/tasks/", json=document, timeout=60)

    return list(pool.map(post, range(PARALLEL)))


def _check(answers: list[requests.Response], conflict: str, wrong: Counter[str]) -> None:
    """Count the answers that are not one 202 and, for the same task, 200s with the conflict."""
    seen = Counter(
        (answer.status_code, answer.headers.get("Unique-Conflict")) for answer in answers
    )
    if seen != {(202, None): 1, (200, conflict): PARALLEL - 1}:
        wrong[f"{dict(seen)}"] += 1
    if len({answer.json().get("task_id") for answer in answers}) != 1:
        wrong["several tasks"] += 1


def _kill_holder(system: System, workers: Workers, task_id: str) -> int:
    """Kill the worker process that runs a task; return 1 if there was one."""

    def holder() -> int | None:
        return system.queries.value(  # type: ignore[no-any-return]
            "SELECT worker_id FROM tasks_task WHERE id = %(id)s", {"id": task_id}
        )

    worker_id = wait_until(holder, within=30, what="the unique task runs")
    for registered in workers.registered():
        if registered.id == worker_id:
            system.kill(registered)
            return 1
    return 0
