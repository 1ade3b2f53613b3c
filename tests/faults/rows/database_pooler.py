"""Connection pooler between the system and the database: R34."""

from __future__ import annotations

import time
from typing import Any

import orjson
import requests

from tasks.models import Status
from tests.faults.harness import pgbouncer
from tests.faults.harness.durations import percentile
from tests.faults.harness.row import Dice, Measured, NotRun, row
from tests.faults.harness.system import System
from tests.waiting import wait_until

# What each task does, and how it must end: every possible outcome.
CASES: tuple[tuple[dict[str, Any], Status], ...] = (
    ({"kind": "test.script", "input": {"value": 1}}, Status.COMPLETED),
    ({"kind": "test.script", "input": {"do": "raise"}}, Status.FAILED),
    ({"kind": "test.script", "input": {"do": "raise once"}}, Status.COMPLETED),
    ({"kind": "test.script", "input": {"do": "retry once"}}, Status.COMPLETED),
    ({"kind": "test.script", "input": {"do": "fatal"}}, Status.FAILED),
    ({"kind": "test.script", "input": {"do": "cancel"}}, Status.CANCELLED),
    ({"kind": "test.script", "input": {"do": "follow up", "value": 2}}, Status.COMPLETED),
    ({"kind": "test.effect", "input": {}}, Status.COMPLETED),
    ({"kind": "test.effect", "input": {"do": "raise"}}, Status.FAILED),
    ({"kind": "test.isolated", "input": {"do": "progress"}}, Status.COMPLETED),
    ({"kind": "test.isolated_effect", "input": {}}, Status.COMPLETED),
    ({"kind": "test.script", "input": {"value": 3}, "delay": 1}, Status.COMPLETED),
)
TIMES = 25
# Without notifications half of the tasks would wait longer for the next look.
LONGEST_START = 0.5
# From the submit to the start of each of these tasks.
STARTS = """
    SELECT extract(epoch FROM started_at - created_at)::float
    FROM tasks_task
    WHERE id = ANY (%(ids)s::uuid[])
    ORDER BY 1
"""


@row(
    "R34",
    title="PgBouncer in transaction mode in front of web and workers",
    promise="everything works",
    target="100 % of the outcomes right; p95 of the start of single tasks ≤ 0.5 s",
)
def behind_a_pooler(system: System, dice: Dice) -> Measured:
    """Produce every outcome over HTTP, cancel running tasks, then submit tasks one by one."""
    if not pgbouncer.is_installed():
        raise NotRun("pgbouncer is not installed")
    with pgbouncer.pgbouncer(system.server, system.directory) as pooled:
        # Django's setting for a pooler.
        url = f"{pooled}?disable_server_side_cursors=true"
        web = system.web(DATABASE_URL=url)
        direct = system.server.url
        workers = system.workers(processes=2, DATABASE_URL=url, DATABASE_DIRECT_URL=direct)
        registered_now = workers.registered()
        began = time.monotonic()
        expected = _submit_all(web.url, dice) | _cancel_running(system, web.url)
        system.accepted.add(expected)
        system.wait_until_ended(within=90)
        took = time.monotonic() - began
        wrong = [id for id, status in expected.items() if _status(system, id) != status]
        start = _start(system, web.url)
        replaced = len({*registered_now} - {*workers.registered()})
        warnings = _warnings(workers.output())
        heeded = system.queries.value(
            "SELECT extract(epoch FROM max(finished_at - started_at))::float FROM tasks_task"
            " WHERE input ->> 'do' = 'wait for file'"
        )
        workers.end()
        web.command.end()
    return Measured(
        f"{pgbouncer.version()}: {len(expected) - len(wrong)} of {len(expected)} outcomes right in "
        f"{took:.0f} s; {replaced} worker processes replaced, {warnings} warnings; "
        f"running tasks cancelled within {heeded:.1f} s of their start; "
        f"single tasks started after {start * 1000:.0f} ms (p95)",
        met=not wrong and not replaced and not warnings and start <= LONGEST_START,
    )


def _warnings(log: str) -> int:
    """Count the warnings that are not about failed attempts, which the row produces."""
    lines = [orjson.loads(line) for line in log.splitlines() if line.startswith("{")]
    return sum(
        line["level"] == "warning" and line["logger"] != "tasks.transition" for line in lines
    )


def _submit_all(url: str, dice: Dice) -> dict[str, Status]:
    """Submit every case many times, in any order; return how each task must end."""
    cases = list(CASES) * TIMES
    dice.shuffle(cases)
    return {_post(url, "", case): status for case, status in cases}


def _cancel_running(system: System, url: str) -> dict[str, Status]:
    """Submit ten tasks that never end, and cancel each once it runs."""
    expected = {}
    for number in range(10):
        input = {"do": "wait for file", "file": str(system.directory / f"never-{number}")}
        task = _post(url, "", {"kind": "test.script", "input": input})
        wait_until(lambda id=task: _status(system, id) == "PROCESSING", within=30, what="it runs")
        _post(url, f"{task}/cancel", {})
        expected[task] = Status.CANCELLED
    return expected


def _start(system: System, url: str) -> float:
    """Submit tasks one by one to idle workers; return the p95 of the wait for the start."""
    ids = []
    for _ in range(20):
        ids.append(_post(url, "", {"kind": "test.script", "input": {}}))
        wait_until(lambda: _status(system, ids[-1]) == "COMPLETED", within=30, what="it has ended")
    system.accepted.add(ids)
    return percentile([seconds for (seconds,) in system.queries.rows(STARTS, {"ids": ids})], 95)


def _post(url: str, path: str, body: dict[str, Any]) -> str:
    answer = requests.post(f"{url}/api/v1/tasks/{path}", json=body, timeout=30)
    answer.raise_for_status()
    return str(answer.json()["task_id"])


def _status(system: System, task_id: str) -> str:
    return str(
        system.queries.value(
            "SELECT status FROM tasks_task WHERE id = %(id)s::uuid", {"id": task_id}
        )
    )
