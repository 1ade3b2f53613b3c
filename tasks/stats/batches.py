"""Batch progress: counts of the tasks of batches by status."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Max, TextChoices

from tasks.models import Batch, Status, Task
from tasks.models.batch import outcome_of
from tasks.models.task import TERMINAL


class BatchStatus(TextChoices):
    """How a batch stands."""

    OPEN = "open", "Open"
    RUNNING = "running", "Running"
    COMPLETED = "completed", "Completed"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


@dataclass(frozen=True, kw_only=True)
class BatchProgress:
    """The progress of a batch; `finished_at` is None until all of its tasks have ended.

    An awaited batch has ended when that was acted upon: some milliseconds after the last task.
    """

    status: BatchStatus
    total: int
    counts: dict[str, int]
    percent: int
    finished_at: dt.datetime | None


def batch_progress(batch: Batch) -> BatchProgress:
    """Count a batch's tasks by status; a deleted task counts as ended.

    The follow-ups of an awaited batch's members are members too.
    """
    rows = list(
        batch.tasks.order_by().values("status").annotate(n=Count("*"), last=Max("finished_at"))
    )
    counts = dict.fromkeys(Status.values, 0) | {row["status"]: row["n"] for row in rows}
    alive = sum(counts[status] for status in Status.values if status not in TERMINAL)
    # A batch of which every task existed before has ended at once.
    ends = [row["last"] for row in rows if row["last"]] or (
        [] if batch.total else [batch.created_at]
    )
    total = max(batch.total, sum(counts.values()))
    status = batch_status(batch, counts)
    has_ended = status not in (BatchStatus.OPEN, BatchStatus.RUNNING)
    last = batch.ended_at if batch.is_awaited else max(ends, default=None)
    return BatchProgress(
        status=status,
        total=total,
        counts=counts,
        percent=100 * (total - alive) // total if total else 100,
        finished_at=last if has_ended else None,
    )


def batch_status(batch: Batch, counts: dict[str, int]) -> BatchStatus:
    """Return how a batch stands whose tasks have these statuses."""
    if batch.is_open:
        return BatchStatus.OPEN
    alive = counts.get(Status.PENDING, 0) + counts.get(Status.PROCESSING, 0)
    if alive or (batch.is_awaited and batch.outcome is None):
        return BatchStatus.RUNNING
    worst = outcome_of({status for status, number in counts.items() if number})
    return BatchStatus[worst]


def batch_counts(batches: Sequence[uuid.UUID]) -> dict[uuid.UUID, dict[str, int]]:
    """Count the tasks of several batches by status."""
    counts: dict[uuid.UUID, dict[str, int]] = {}
    rows = Task.objects.filter(batch__in=batches).order_by().values_list("batch", "status")
    for batch, status, n in rows.annotate(n=Count("*")):
        counts.setdefault(batch, {})[status] = n
    return counts
