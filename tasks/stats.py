"""Every aggregate read: how many, how old, how alive."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from django.conf import settings
from django.db import connection
from django.db.models import Case, Count, Max, Min, Q, QuerySet, TextChoices, Value, When
from django.db.models.fields.json import KT
from django.db.models.functions import Greatest, Now

from tasks import census, kinds
from tasks.models import Attempt, Batch, Queue, Status, Task, Worker, WorkerState
from tasks.models.task import TERMINAL, TaskQuerySet

# The retry lane's share of the work while both lanes wait.
RETRY_SHARE = 0.3
# Counting further would cost more than it tells.
WAITING_LIMIT = 1_000

_DUE = Q(scheduled_at=None) | Q(scheduled_at__lte=Now())


class Liveness(TextChoices):
    """A worker's state, as every interface reports it."""

    ALIVE = "alive"
    # Takes nothing new and finishes what it runs.
    DRAINING = "draining"
    # Its lease has ended, or a rescue gave its tasks to others.
    DEAD = "dead"


if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    class _Seen(TypedDict):
        liveness: str

    SeenWorker = WithAnnotations[Worker, _Seen]


@dataclass(frozen=True, kw_only=True)
class QueueLoad:
    """What one queue holds; `oldest_age` in seconds, of the oldest due task."""

    pending: int
    processing: int
    oldest_age: float | None
    paused: bool


@dataclass(frozen=True, kw_only=True)
class QueuesStatus:
    """What waits in which lane and queue, and how many tasks are in each status."""

    primary: int
    retry: int
    scheduled: int
    states: dict[str, int]
    by_queue: dict[str, QueueLoad]
    now: dt.datetime

    @property
    def due(self) -> int:
        return self.primary + self.retry

    @property
    def processing(self) -> int:
        return self.states[Status.PROCESSING]

    @property
    def oldest_age(self) -> float | None:
        ages = [load.oldest_age for load in self.by_queue.values() if load.oldest_age is not None]
        return max(ages, default=None)

    @property
    def dlq(self) -> int:
        return self.states[Status.FAILED]

    @property
    def retry_ratio(self) -> float:
        return retry_share(primary=self.primary, retry=self.retry)

    def document(self) -> dict[str, Any]:
        """Return it as it is shown to people: by the API and by `queue_status`."""
        return {
            "queues": {
                "primary": self.primary,
                "retry": self.retry,
                "scheduled": self.scheduled,
                "dlq": self.dlq,
            },
            "states": self.states,
            "retry_ratio": self.retry_ratio,
            "by_queue": {
                name: {
                    "pending": load.pending,
                    "processing": load.processing,
                    "oldest_age_s": load.oldest_age,
                    "paused": load.paused,
                }
                for name, load in self.by_queue.items()
            },
        }


@dataclass(frozen=True, kw_only=True)
class BatchProgress:
    """How far a batch is; `finished_at` is None while any of its tasks has not ended."""

    counts: dict[str, int]
    percent: int
    finished_at: dt.datetime | None


@dataclass(frozen=True, kw_only=True)
class FailureGroup:
    """How many tasks of a kind failed with one type of error."""

    kind: str
    error_type: str | None
    count: int


def retry_share(*, primary: int, retry: int) -> float:
    """Return the share of the work that the retry lane is given.

    Bounded while both lanes wait, and less as the retry lane grows past the primary, so that a
    retry storm cannot starve new work; all of it when nothing else waits.
    """
    if not retry:
        return RETRY_SHARE
    return round(RETRY_SHARE * min(1.0, primary / retry), 4) if primary else 1.0


def queues_status(*, exact: bool = False) -> QueuesStatus:
    """Tell what waits, runs and was; of many tasks as of a few seconds ago, unless exact."""
    told = census.count(_tally) if exact else census.take("queues", _tally)
    waiting, running = told.found["waiting"], told.found["running"]
    states = dict.fromkeys(Status.values, 0) | told.found["ended"]
    states[Status.PENDING] = sum(row["pending"] for row in waiting.values())
    states[Status.PROCESSING] = sum(running.values())
    return QueuesStatus(
        primary=sum(row["primary"] for row in waiting.values()),
        retry=sum(row["retry"] for row in waiting.values()),
        scheduled=sum(row["scheduled"] for row in waiting.values()),
        states=states,
        by_queue=_loads(waiting, running),
        now=told.at,
    )


def batch_progress(batch: Batch) -> BatchProgress:
    """Count a batch's tasks by status; one that was deleted has ended."""
    rows = list(
        batch.tasks.order_by().values("status").annotate(n=Count("*"), last=Max("finished_at"))
    )
    counts = dict.fromkeys(Status.values, 0) | {row["status"]: row["n"] for row in rows}
    alive = sum(counts[status] for status in Status.values if status not in TERMINAL)
    ends = [row["last"] for row in rows if row["last"]]
    return BatchProgress(
        counts=counts,
        percent=100 * (batch.total - alive) // batch.total if batch.total else 100,
        finished_at=None if alive else max(ends, default=None),
    )


def failure_groups(failed: TaskQuerySet) -> list[FailureGroup]:
    """Count failed tasks by kind and type of error, most first."""
    rows = (
        failed.order_by()
        .annotate(error_type=KT("error__type"))
        .values_list("kind", "error_type")
        .annotate(n=Count("*"))
        .order_by("-n", "kind", "error_type")
    )
    return [FailureGroup(kind=kind, error_type=error, count=n) for kind, error, n in rows]


def waiting() -> int:
    """Return how many tasks are due, at most WAITING_LIMIT."""
    due = Task.objects.filter(_DUE, status=Status.PENDING).order_by()
    return due.values("pk")[:WAITING_LIMIT].count()


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


def holdings() -> dict[str, int]:
    """Count what the engine keeps beside tasks and workers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE task_name LIKE 'task:%'")
        (jobs,) = cursor.fetchone()
    return {
        "jobs": jobs,
        "ended attempts": Attempt.objects.count(),
        "batches": Batch.objects.count(),
        "queues switched": Queue.objects.count(),
    }


def prunable() -> int:
    """Count the tasks that ended longer ago than their retention."""
    well = Q(status__in=(Status.COMPLETED, Status.CANCELLED))
    done = Q(well, finished_at__lt=_days_ago(settings.RETENTION_COMPLETED_DAYS))
    dead = Q(status=Status.FAILED, finished_at__lt=_days_ago(settings.RETENTION_FAILED_DAYS))
    return Task.objects.filter(done | dead).count()


def _days_ago(days: int) -> Any:
    return Now() - dt.timedelta(days=days)


def _tally(now: dt.datetime) -> dict[str, Any]:
    """Count by status and queue, each status through its index; reads all that waits."""
    running = Task.objects.filter(status=Status.PROCESSING)
    return {
        "waiting": {row["queue"]: _told(row, now) for row in _waiting()},
        "running": dict(_counts(running, "queue")),
        "ended": {status: Task.objects.filter(status=status).count() for status in TERMINAL},
    }


def _told(row: dict[str, Any], now: dt.datetime) -> dict[str, Any]:
    since = row.pop("since")
    return {**row, "age": max(0.0, round((now - since).total_seconds(), 3)) if since else None}


def _waiting() -> Any:
    # What is due waits since the latest of what it had to wait for.
    since = Min(Greatest("created_at", "scheduled_at", "started_at"), filter=_DUE)
    return (
        Task.objects.filter(status=Status.PENDING)
        .order_by()
        .values("queue")
        .annotate(
            pending=Count("*"),
            primary=Count("pk", filter=_DUE & Q(attempt=0)),
            retry=Count("pk", filter=_DUE & Q(attempt__gt=0)),
            scheduled=Count("pk", filter=Q(scheduled_at__gt=Now())),
            since=since,
        )
    )


def _counts(tasks: TaskQuerySet, column: str) -> Any:
    return tasks.order_by().values_list(column).annotate(n=Count("*"))


def _loads(waiting: dict[str, Any], running: dict[str, int]) -> dict[str, QueueLoad]:
    """Describe every queue that holds tasks, that a kind names, or that somebody switched."""
    switches = dict(Queue.objects.values_list("name", "paused"))
    named = {kind.queue for kind in kinds.all_kinds().values()}
    loads = {}
    for name in sorted(named | set(waiting) | set(running) | set(switches)):
        row = waiting.get(name, {})
        loads[name] = QueueLoad(
            pending=row.get("pending", 0),
            processing=running.get(name, 0),
            oldest_age=row.get("age"),
            paused=switches.get(name, False),
        )
    return loads


def batch_counts(batches: Sequence[uuid.UUID]) -> dict[uuid.UUID, dict[str, int]]:
    """Count the tasks of several batches by status."""
    counts: dict[uuid.UUID, dict[str, int]] = {}
    rows = Task.objects.filter(batch__in=batches).order_by().values_list("batch", "status")
    for batch, status, n in rows.annotate(n=Count("*")):
        counts.setdefault(batch, {})[status] = n
    return counts
