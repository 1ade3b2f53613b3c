"""Checks of the stored rows that must hold after every move."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping

from tasks.models import Attempt, Outcome, Permit, Status, Task
from tasks.models.task import TERMINAL
from tests.lifecycle.known import Known
from tests.queue_rows import jobs

# Attempts that count against the budget and have a row when they ended.
SPENT = {Outcome.FAILED, Outcome.TIMED_OUT, Outcome.CRASHED, Outcome.CANCELLED}


def check_stored(
    known: Mapping[uuid.UUID, Known], *, jobless: set[uuid.UUID], strays: set[int]
) -> set[int]:
    """Check tasks, jobs and histories; return which stray jobs are still there."""
    stored = {task.id: task for task in Task.objects.all()}
    assert stored.keys() == known.keys()
    for task in stored.values():
        expected = known[task.id]
        stored_row = (
            task.status, task.attempt, task.max_attempts, task.claim_number, task.losses,
            task.crashes, task.worker_id, task.cancel_requested, task.unique_key is not None,
        )  # fmt: skip
        assert stored_row == expected.row()
        assert 0 <= task.attempt <= task.max_attempts
        assert task.attempt <= task.claim_number
        # A result is that of the current claim.
        assert task.result == (
            {"claim_number": task.claim_number} if task.status == Status.COMPLETED else None
        )
    _check_histories(stored, known)
    _check_permits(stored, jobless=jobless)
    return _check_jobs(stored, known, jobless=jobless, strays=strays)


def _check_jobs(
    stored: Mapping[uuid.UUID, Task],
    known: Mapping[uuid.UUID, Known],
    *,
    jobless: set[uuid.UUID],
    strays: set[int],
) -> set[int]:
    living = [task for task in stored.values() if task.status not in TERMINAL]
    by_id = {job.id: job for job in jobs()}
    named = {task.job_id for task in living}
    assert len(named) == len(living)
    waiting = [task for task in living if task.status == Status.PENDING]
    assert {task.id for task in waiting if task.job_id not in by_id} == jobless
    for task in living:
        expected = known[task.id]
        assert (task.job_id != expected.job_id) == expected.has_new_job
        expected.job_id, expected.has_new_job = task.job_id, False
        if job := by_id.get(task.job_id or 0):
            assert job.task_id == str(task.id)
            assert (job.queue, job.priority) == (task.queue, task.priority)
            # The claim of a task that runs has deleted its job.
            assert (job.status, task.status) == ("todo", Status.PENDING)
            assert (job.line is None) == (task.limit_keys is None)
            if task.waits_for_others:
                assert known[task.id].waits or known[task.id].rechecked
            elif job.line is None and job.scheduled_at != task.scheduled_at:
                # Staged, because its time has come.
                assert job.scheduled_at is None
                assert known[task.id].due
    left = by_id.keys() - named
    assert left <= strays
    return set(left)


def _check_permits(stored: Mapping[uuid.UUID, Task], *, jobless: set[uuid.UUID]) -> None:
    """Check that what runs or can be claimed under a limit has its permit, and nothing else.

    A task keeps its permit when its job is lost by hand; one that gets another job, from the
    reconciler or a newer request, until that is staged.
    """
    claimable = {job.task_id for job in jobs() if job.line == 0 and job.scheduled_at is None}
    arriving = {job.task_id for job in jobs() if job.line == 0 and job.scheduled_at is not None}
    holders = [
        id
        for id, task in stored.items()
        if task.limit_keys
        and (
            task.status == Status.PROCESSING
            or (task.status == Status.PENDING and str(id) in claimable)
        )
    ]
    permits = Permit.objects.filter(released_at=None, task_id__isnull=False)
    turns = set(permits.filter(is_ordered=True).values_list("task_id", flat=True))
    assert len(turns) <= 1
    # A task keeps its turn while it waits.
    kept = {id for id in turns if id not in holders and stored[id].status == Status.PENDING}
    held = permits.exclude(task_id__in=kept).values_list("task_id", flat=True)
    settled = [id for id in held if id and id not in jobless and str(id) not in arriving]
    assert sorted(settled) == sorted(holders)


def _check_histories(stored: Mapping[uuid.UUID, Task], known: Mapping[uuid.UUID, Known]) -> None:
    rows: dict[uuid.UUID, list[Attempt]] = defaultdict(list)
    for attempt in Attempt.objects.order_by("claim_number"):
        rows[attempt.task_id].append(attempt)
    assert rows.keys() <= stored.keys()
    for task in stored.values():
        ended = rows[task.id]
        assert [(row.claim_number, row.outcome) for row in ended] == known[task.id].history
        running = task.status in (Status.PROCESSING, Status.COMPLETED)
        assert task.attempt == sum(row.outcome in SPENT for row in ended) + running
        assert all(row.claim_number < task.claim_number + (not running) for row in ended)
        assert all(row.started_at and row.finished_at for row in ended)
