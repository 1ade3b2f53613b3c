"""Worker states, by the database's clock."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, TypedDict

from django.conf import settings
from django.db.models import (
    Case,
    Count,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextChoices,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Now

from tasks.models import Status, Task, Worker, WorkerState


class Liveness(TextChoices):
    """A worker's state, as every interface reports it."""

    ALIVE = "alive"
    # Claims nothing new and finishes what it runs.
    DRAINING = "draining"
    # Its lease has ended, or its tasks have been rescued.
    DEAD = "dead"


if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    class _Seen(TypedDict):
        liveness: str
        processing: int

    SeenWorker = WithAnnotations[Worker, _Seen]


def workers() -> QuerySet[SeenWorker]:
    """Return every worker with its `liveness`, and how many tasks it has claimed: `processing`.

    These are the tasks that `queues_status` counts, so that all interfaces agree; what a worker
    said at its last heartbeat may be some seconds old, and that of a dead one is wrong.
    """
    claimed = Task.objects.filter(status=Status.PROCESSING, worker_id=OuterRef("pk")).order_by()
    count = claimed.values("worker_id").annotate(n=Count("*")).values("n")
    seen: QuerySet[SeenWorker] = _by_liveness().annotate(processing=Coalesce(Subquery(count), 0))
    return seen


def living_workers() -> QuerySet[SeenWorker]:
    """Return the workers that are alive or draining: their slots are those of the system."""
    return workers().exclude(liveness=Liveness.DEAD)


def worker_counts() -> dict[str, int]:
    """Count the workers by liveness."""
    counts = _by_liveness().order_by().values_list("liveness").annotate(n=Count("*"))
    return dict.fromkeys(Liveness.values, 0) | dict(counts)


def _by_liveness() -> Any:
    lease_ended = Q(heartbeat_at__lte=Now() - dt.timedelta(seconds=settings.LEASE_SECONDS))
    return Worker.objects.annotate(
        liveness=Case(
            When(lease_ended | Q(state=WorkerState.LOST), then=Value(Liveness.DEAD)),
            When(state=WorkerState.DRAINING, then=Value(Liveness.DRAINING)),
            default=Value(Liveness.ALIVE),
        )
    )
