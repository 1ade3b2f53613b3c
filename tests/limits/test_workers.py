"""Limits and real workers: what is freed is used at once, and never more than is allowed."""

from __future__ import annotations

import pytest

import tasks
from tasks.models import Limit, Scope, Status, Task
from tests.limits.overlap import most_at_once, most_in_a_period
from tests.limits.rules import make_limit
from tests.waiting import wait_until
from tests.workers import WorkerCommand, is_idle

pytestmark = pytest.mark.django_db(transaction=True)

# Only announcements make workers look.
WITHOUT_POLLING = {"DJANGO_SETTINGS_MODULE": "tests.settings_without_polling"}


def _run(within: float = 60.0) -> list[Task]:
    worker = WorkerCommand(processes=2, concurrency=4, **WITHOUT_POLLING)
    try:
        wait_until(lambda: worker.must_run() and is_idle(), within=within, what="idle")
    finally:
        worker.end()
    done = list(Task.objects.order_by("id"))
    assert {task.status for task in done} == {Status.COMPLETED}
    return done


def test_a_freed_permit_is_used_at_once_by_tasks_that_wait_for_it():
    make_limit(concurrent=2)
    for _ in range(30):
        tasks.submit("test.script", {"do": "sleep", "seconds": 0.02})
    assert most_at_once(_run()) == 2


def test_each_value_has_its_own_limit_and_failed_attempts_wait_again():
    make_limit(Scope.KEY, "test.script", path="customer", concurrent=1)
    for number in range(30):
        tasks.submit("test.script", {"do": "sleep", "seconds": 0.01, "customer": str(number % 3)})
    done = _run()
    for customer in "012":
        assert most_at_once(task for task in done if task.input["customer"] == customer) == 1


def test_a_declared_limit_holds_once_a_worker_has_started():
    worker = WorkerCommand(processes=2, concurrency=4)
    try:
        wait_until(
            lambda: worker.must_run() and Limit.objects.filter(applies_at__isnull=False).exists(),
            within=60,
            what="the limit applies",
        )
        for number in range(24):
            customer = str(number % 2)
            tasks.submit("test.limited", {"seconds": 0.02, "customer": customer})
        wait_until(lambda: worker.must_run() and is_idle(), within=60, what="idle")
    finally:
        worker.end()
    limit = Limit.objects.get(name="test.limited")
    assert (limit.scope, limit.name, limit.path) == ("key", "test.limited", "customer")
    done = list(Task.objects.all())
    for customer in "01":
        assert most_at_once(task for task in done if task.input["customer"] == customer) == 2


def test_a_rate_is_kept():
    make_limit(rate=20, period=1, burst=5)
    for _ in range(40):
        tasks.submit("test.script", {"do": "return"})
    assert most_in_a_period(_run(), seconds=1.0) <= 20
