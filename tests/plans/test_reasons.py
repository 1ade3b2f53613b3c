"""Why a task waits: what is read for it, also behind a million others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import tasks
from tasks.models import Task
from tasks.stats import waiting_reason
from tests.factories import make_worker
from tests.limits.rules import make_limit, stage
from tests.plans.databases import Databases, Moment, Statistics
from tests.plans.explain import explained, guard

pytestmark = [pytest.mark.xdist_group("plans"), pytest.mark.parametrize("statistics", Statistics)]

At = Callable[[Moment], None]
# Places are counted up to 1,000; the newest ranges of a BRIN index have thousands of rows.
BOUND = 20_000


def check(task: Task, reason: str) -> None:
    """Guard the plans of all statements that are run for a task."""
    with explained() as plans:
        waiting = waiting_reason(Task.objects.get(pk=task.pk))
    assert waiting is not None
    assert waiting.reason == reason
    assert len(plans) >= 2
    for plan in plans:
        guard(plan, rows=BOUND)


@pytest.mark.parametrize("moment", [Moment.WAITING, Moment.FINISHED])
def test_the_place_of_a_due_task_is_read_up_to_a_limit(
    at: At, seeded: Databases, moment: Moment, statistics: Statistics
) -> None:
    at(moment)
    seeded.use(statistics)
    make_worker(queues=["default"])
    check(tasks.submit("test.script", {}, priority=-5), "due")
    # One with a place, and with it an estimate.
    check(tasks.submit("test.script", {}, priority=9), "due")


def test_the_place_of_a_blocked_task_is_read_up_to_a_limit(
    at: At, seeded: Databases, statistics: Statistics
) -> None:
    at(Moment.WAITING)
    seeded.use(statistics)
    make_worker()
    make_limit(name="narrow", concurrent=1)
    submitted = [tasks.submit("test.script", {}, queue="narrow") for _ in range(5)]
    while stage(limit=1_000) == 0:
        pass
    check(submitted[-1], "limit")
