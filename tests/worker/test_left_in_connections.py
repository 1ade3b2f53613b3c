"""What handlers leave in Django's connections costs their own attempt, and never the next."""

from __future__ import annotations

from typing import Any

import pytest

import tasks
from tasks.models import Status, Task
from tests.script.leaving import IN_TRANSACTION, LEAVINGS
from tests.script.models import Effect
from tests.waiting import wait_until
from tests.workers import is_idle

pytestmark = pytest.mark.django_db(transaction=True)

SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.settings_with_two_databases"}


def test_what_a_handler_leaves_in_a_connection_costs_its_own_attempt(worker):
    kinds = {"thread": LEAVINGS, "process": LEAVINGS, "transactional": IN_TRANSACTION}
    culprits, followers = [], []
    for name, leavings in kinds.items():
        for leaves in leavings:
            culprits.append(tasks.submit(f"test.leave.{name}", {"leaves": leaves}))
            follower = "process" if name == "process" else "thread"
            followers.append(tasks.submit(f"test.leave.{follower}"))
            followers.append(tasks.submit("test.leave.transactional"))
    worker(concurrency=1, **SETTINGS)
    wait_until(is_idle, within=60, what="all have ended")

    assert _ends(culprits) == {
        (f"test.leave.{name}", leaves): (
            Status.FAILED if error else Status.COMPLETED,
            error,
        )
        for name, leavings in kinds.items()
        for leaves, (_, error) in leavings.items()
    }
    rows = Task.objects.filter(pk__in=[task.pk for task in followers])
    usual: dict[str, Any] = {"language": "en-us", "zone": "UTC", "autocommit": True}
    inside = {**usual, "autocommit": False}
    assert [(row.status, row.error, row.result) for row in rows] == [
        (Status.COMPLETED, None, inside if row.kind == "test.leave.transactional" else usual)
        for row in rows
    ]
    completed = Task.objects.filter(status=Status.COMPLETED)
    kept = completed.filter(kind="test.leave.transactional", input__has_key="leaves")
    assert set(Effect.objects.values_list("task_id", "attempt")) == {
        *((task.pk, 1) for task in followers),
        *((task.pk, 0) for task in kept),
    }


def _ends(culprits: list[Task]) -> dict[tuple[str, str], tuple[str, str | None]]:
    rows = Task.objects.filter(pk__in=[task.pk for task in culprits])
    return {
        (row.kind, row.input["leaves"]): (row.status, row.error and row.error["detail"])
        for row in rows
    }
