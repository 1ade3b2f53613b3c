"""Worker states, by the database's clock."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, TypedDict

from django.conf import settings
from django.db.models import Case, Count, Q, QuerySet, TextChoices, Value, When
from django.db.models.functions import Now

from tasks.models import Worker, WorkerState


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

    SeenWorker = WithAnnotations[Worker, _Seen]


def workers() -> QuerySet[SeenWorker]:
    """Return every worker with its `liveness`, by the database's clock."""
    lease_ended = Q(heartbeat_at__lte=Now() - dt.timedelta(seconds=settings.LEASE_SECONDS))
    return Worker.objects.annotate(
        liveness=Case(
            When(lease_ended | Q(state=WorkerState.LOST), then=Value(Liveness.DEAD)),
            When(state=WorkerState.DRAINING, then=Value(Liveness.DRAINING)),
            default=Value(Liveness.ALIVE),
        )
    )


def worker_counts() -> dict[str, int]:
    """Count the workers by liveness."""
    counts = workers().order_by().values_list("liveness").annotate(n=Count("*"))
    return dict.fromkeys(Liveness.values, 0) | dict(counts)
