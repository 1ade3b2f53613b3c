"""Queue depths: how many tasks wait and run, and how old the oldest is."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import BooleanField, Count, Min, Q
from django.db.models.expressions import RawSQL
from django.db.models.functions import Greatest

from tasks import kinds, sql
from tasks.lanes import retry_share
from tasks.models import Queue, Status, Task
from tasks.models.task import IN_LANE, IS_DUE, TERMINAL, Lane, TaskQuerySet
from tasks.postgres.planner import plan_row_by_row
from tasks.stats import count_cache

# Counting stops here: more would be slow and change no decision.
WAITING_LIMIT = 1_000

# Whether a waiting task is in the line of a limit; its job is looked up only where it has limits. A
# subquery that returns a value is run for each; of EXISTS the planner might read all jobs at once.
_IS_BLOCKED = Q(limit_keys__isnull=False) & Q(
    RawSQL(
        "(SELECT tasks_line FROM procrastinate_jobs"
        " WHERE procrastinate_jobs.id = tasks_task.job_id) > 0",
        (),
        output_field=BooleanField(),
    )
)


@dataclass(frozen=True, kw_only=True)
class QueueLoad:
    """The load of one queue; `oldest_age` is that of the oldest due task, in seconds."""

    # With the scheduled ones.
    pending: int
    processing: int
    oldest_age: float | None
    paused: bool
    # The parts of `pending` that wait for their time, and for a permit of a limit.
    scheduled: int
    blocked: int

    @property
    def due(self) -> int:
        """The part of `pending` that may run now."""
        return self.pending - self.scheduled - self.blocked


@dataclass(frozen=True, kw_only=True)
class QueuesStatus:
    """Waiting tasks by lane and queue, and all tasks by status."""

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
        """Return the JSON object that the API and `queue_status` show."""
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
                    "blocked": load.blocked,
                    "oldest_age_s": load.oldest_age,
                    "paused": load.paused,
                }
                for name, load in self.by_queue.items()
            },
        }


def queues_status(*, exact: bool = False) -> QueuesStatus:
    """Count tasks by lane, queue and status; of many, as of a few seconds ago unless exact."""
    return _status(count_cache.exact(_tally) if exact else count_cache.cached("queues", _tally))


def recent_queues_status() -> QueuesStatus | None:
    """Return the current or, of many tasks, the last counts; None rather than wait for them."""
    counted = count_cache.recent("queues", _tally)
    return _status(counted) if counted else None


def _status(counted: count_cache.Count) -> QueuesStatus:
    waiting, running = counted.value["waiting"], counted.value["running"]
    states = dict.fromkeys(Status.values, 0) | counted.value["ended"]
    states[Status.PENDING] = sum(row["pending"] for row in waiting.values())
    states[Status.PROCESSING] = sum(running.values())
    return QueuesStatus(
        primary=sum(row["primary"] for row in waiting.values()),
        retry=sum(row["retry"] for row in waiting.values()),
        scheduled=sum(row["scheduled"] for row in waiting.values()),
        states=states,
        by_queue=_loads(waiting, running),
        now=counted.at,
    )


def waiting() -> int:
    """Return how many tasks are due, at most WAITING_LIMIT.

    By their jobs: what is scheduled for later is in an index of its own there.
    """
    with transaction.atomic():
        plan_row_by_row()
        ((due,),) = sql.run(sql.DUE, {"limit": WAITING_LIMIT})
    return min(int(due), WAITING_LIMIT)


def _tally(now: dt.datetime) -> dict[str, Any]:
    """Count by status and queue, each status through its index; reads every waiting task."""
    running = Task.objects.filter(status=Status.PROCESSING)
    return {
        "waiting": {row["queue"]: _with_age(row, now) for row in _waiting()},
        "running": dict(_counts(running, "queue")),
        "ended": {status: Task.objects.filter(status=status).count() for status in TERMINAL},
    }


def _with_age(row: dict[str, Any], now: dt.datetime) -> dict[str, Any]:
    since = row.pop("since")
    return {**row, "age": max(0.0, round((now - since).total_seconds(), 3)) if since else None}


def _waiting() -> Any:
    # A due task has waited since the latest of these times; a blocked one is held back on purpose.
    may_run = IS_DUE & ~_IS_BLOCKED
    since = Min(Greatest("created_at", "scheduled_at", "started_at"), filter=may_run)
    return (
        Task.objects.filter(status=Status.PENDING)
        .order_by()
        .values("queue")
        .annotate(
            pending=Count("*"),
            primary=Count("pk", filter=IN_LANE[Lane.PRIMARY]),
            retry=Count("pk", filter=IN_LANE[Lane.RETRY]),
            scheduled=Count("pk", filter=IN_LANE[Lane.SCHEDULED]),
            blocked=Count("pk", filter=_IS_BLOCKED),
            since=since,
        )
    )


def _counts(tasks: TaskQuerySet, column: str) -> Any:
    return tasks.order_by().values_list(column).annotate(n=Count("*"))


def _loads(waiting: dict[str, Any], running: dict[str, int]) -> dict[str, QueueLoad]:
    """Return the load of every queue that has tasks, a kind, or a switch set by an operator."""
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
            scheduled=row.get("scheduled", 0),
            # A count that the version before has cached has none.
            blocked=row.get("blocked", 0),
        )
    return loads
