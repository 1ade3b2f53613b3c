"""Batch progress: counts of the tasks of batches by status."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Max

from tasks.models import Batch, Status, Task
from tasks.models.task import TERMINAL


@dataclass(frozen=True, kw_only=True)
class BatchProgress:
    """The progress of a batch; `finished_at` is None until all of its tasks have ended."""

    counts: dict[str, int]
    percent: int
    finished_at: dt.datetime | None


def batch_progress(batch: Batch) -> BatchProgress:
    """Count a batch's tasks by status; a deleted task counts as ended."""
    rows = list(
        batch.tasks.order_by().values("status").annotate(n=Count("*"), last=Max("finished_at"))
    )
    counts = dict.fromkeys(Status.values, 0) | {row["status"]: row["n"] for row in rows}
    alive = sum(counts[status] for status in Status.values if status not in TERMINAL)
    # A batch of which every task existed before has ended at once.
    ends = [row["last"] for row in rows if row["last"]] or (
        [] if batch.total else [batch.created_at]
    )
    return BatchProgress(
        counts=counts,
        percent=100 * (batch.total - alive) // batch.total if batch.total else 100,
        finished_at=None if alive else max(ends, default=None),
    )


def batch_counts(batches: Sequence[uuid.UUID]) -> dict[uuid.UUID, dict[str, int]]:
    """Count the tasks of several batches by status."""
    counts: dict[uuid.UUID, dict[str, int]] = {}
    rows = Task.objects.filter(batch__in=batches).order_by().values_list("batch", "status")
    for batch, status, n in rows.annotate(n=Count("*")):
        counts.setdefault(batch, {})[status] = n
    return counts
