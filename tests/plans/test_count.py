"""Counts: they read what they count through an index, and never the rows of what has ended."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tasks import sql, stats
from tasks.models import Batch
from tests.plans import rows
from tests.plans.databases import SUBMITTED, Databases, Moment, Statistics
from tests.plans.explain import Plan, ReadsTooMuch, explain, explained, guard
from tests.queue_rows import execute

pytestmark = pytest.mark.xdist_group("plans")

At = Callable[[Moment], None]
FRONT = 50
WAITING = {Moment.IDLE: 0, Moment.WAITING: rows.MILLION, Moment.FINISHED: SUBMITTED}


@pytest.mark.parametrize("statistics", Statistics)
@pytest.mark.parametrize("moment", Moment)
def test_the_status_of_the_queues_reads_only_rows_of_waiting_tasks(
    at: At, seeded: Databases, moment: Moment, statistics: Statistics
) -> None:
    at(moment)
    seeded.use(statistics)
    with explained() as plans:
        stats.queues_status(exact=True)
    waiting, running, completed, failed, cancelled = plans
    # A bitmap reads each twice: its place in the index, and the row.
    guard(waiting, rows=2 * WAITING[moment])
    # Jobs are looked up only of tasks that have limits.
    assert waiting.indexes == {"task_pending", "procrastinate_jobs_pkey"}
    for plan, index, bound in (
        (running, "task_processing", 0),
        (completed, "task_completed_newest", rows.MILLION - 2 * rows.PART),
        (failed, "task_failed_newest", rows.PART),
        (cancelled, "task_undone_newest", rows.PART),
    ):
        guard(plan, rows=bound)
        require_index_only(plan, index)


@pytest.mark.parametrize("statistics", Statistics)
@pytest.mark.parametrize("moment", [Moment.WAITING, Moment.FINISHED])
def test_the_progress_of_batches_reads_only_their_tasks(
    at: At, seeded: Databases, moment: Moment, statistics: Statistics
) -> None:
    at(moment)
    seeded.use(statistics)
    batches = list(Batch.objects.filter(total=rows.BATCH))
    members = len(batches) * rows.BATCH
    with explained() as plans:
        for batch in batches:
            stats.batch_progress(batch)
        stats.batch_counts([batch.pk for batch in batches])
    *each, together = plans
    for plan in each:
        guard(plan, rows=rows.BATCH)
        assert plan.indexes == {"task_batch_status"}
    # A bitmap reads each twice.
    guard(together, rows=2 * members)
    assert together.indexes == {"task_batch_status"}


@pytest.mark.parametrize("statistics", Statistics)
@pytest.mark.parametrize("moment", Moment)
def test_the_health_check_stops_counting_due_tasks_at_its_limit(
    at: At, seeded: Databases, moment: Moment, statistics: Statistics
) -> None:
    at(moment)
    seeded.use(statistics)
    plan = explain(sql.DUE, {"limit": stats.WAITING_LIMIT})
    # Nothing of what is scheduled for later.
    guard(plan, rows=stats.WAITING_LIMIT)
    assert plan.indexes <= {"tasks_waiting", "tasks_scheduled"}


@pytest.mark.parametrize("statistics", Statistics)
@pytest.mark.parametrize("moment", Moment)
def test_the_health_check_reads_only_the_front_of_each_lane(
    at: At, seeded: Databases, moment: Moment, statistics: Statistics
) -> None:
    at(moment)
    seeded.use(statistics)
    params = {"lanes": 200, "limit": FRONT, "tolerance": 60}
    plan = explain(sql.FRONT, params)
    # A million wait in three lanes. Each job has a task; one job of each lane is read to find it.
    guard(plan, rows=2 * 3 * FRONT + 3)
    assert plan.indexes <= {"tasks_waiting", "tasks_scheduled", "tasks_task_pkey"}


def test_the_guard_fails_when_the_index_of_waiting_tasks_is_missing(at: At) -> None:
    at(Moment.FINISHED)
    execute("DROP INDEX task_pending")
    with explained() as plans:
        stats.queues_status(exact=True)
    with pytest.raises(ReadsTooMuch, match="tasks_task is read from end to end"):
        guard(plans[0], rows=2 * SUBMITTED)


def test_the_guard_fails_when_the_index_of_completed_tasks_is_missing(at: At) -> None:
    at(Moment.FINISHED)
    execute("DROP INDEX task_completed_newest")
    with explained() as plans:
        stats.queues_status(exact=True)
    with pytest.raises(ReadsTooMuch, match="tasks_task is read from end to end"):
        guard(plans[2], rows=rows.MILLION)


def test_the_guard_fails_when_the_index_of_batches_is_missing(at: At) -> None:
    at(Moment.FINISHED)
    execute("DROP INDEX task_batch_status")
    batch = Batch.objects.filter(total=rows.BATCH)[0]
    with explained() as plans:
        stats.batch_progress(batch)
    with pytest.raises(ReadsTooMuch, match="tasks_task is read from end to end"):
        guard(plans[0], rows=rows.BATCH)


def require_index_only(plan: Plan, index: str) -> None:
    """Fail when a count looks at the rows themselves."""
    (scan,) = plan.scans
    assert (scan.type, scan.index) == ("Index Only Scan", index)
    # An index alone does not show whether what other tests wrote was rolled back.
    assert scan.heap_fetches <= rows.PART
