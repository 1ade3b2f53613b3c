"""Queue check: one answer of a monitoring plugin about one queue, or all."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models.functions import Now

from tasks.models import Status, Task
from tasks.stats.findings import Level
from tasks.stats.queues import QueueLoad, queues_status
from tasks.stats.unserved import unserved
from tasks.stats.worker_states import living_workers

# Failures count for so long.
FAILURES_WITHIN = dt.timedelta(hours=1)
# Of names in the line.
_MOST_NAMES = 5


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is too much: seconds of waiting, failed tasks in an hour, due tasks (None: no limit)."""

    age: float
    failures: int
    waiting: int | None


@dataclass(frozen=True, kw_only=True)
class QueueCheck:
    """The result: a level and one line, with the figures for graphs behind a bar."""

    level: Level
    line: str


def check_queues(queue: str | None, limits: Limits) -> QueueCheck:
    """Compare one queue, or all together, with the limits; paused queues only warn.

    Failures are counted to one more than their limit.
    """
    loads = queues_status(exact=True).by_queue
    if queue is not None and not (queue in loads or _is_served(queue)):
        return _unknown(queue)
    chosen = {name: load for name, load in loads.items() if queue in (None, name)}
    open_loads = [load for load in chosen.values() if not load.paused]
    waiting = sum(load.due for load in open_loads)
    age = max((load.oldest_age or 0.0 for load in open_loads), default=0.0)
    failures = _failures(queue, up_to=limits.failures + 1)
    troubles = _lacks(queue)
    if age > limits.age:
        troubles.append(f"a task has waited for {age:,.0f} s, more than {limits.age:,.0f} s")
    if limits.waiting is not None and waiting > limits.waiting:
        troubles.append(f"{waiting:,} tasks are due, more than {limits.waiting:,}")
    if failures > limits.failures:
        troubles.append(
            f"at least {failures:,} tasks failed in the last hour, more than {limits.failures:,}"
        )
    figures = (
        f"waiting={waiting};;{'' if limits.waiting is None else limits.waiting};0"
        f" oldest={age:.1f}s;;{limits.age:g};0 failed={failures};;{limits.failures};0"
    )
    if troubles:
        return QueueCheck(level=Level.FAILED, line=f"{'; '.join(troubles)} | {figures}")
    if paused := _paused_with_work(chosen):
        names = ", ".join(paused[:_MOST_NAMES])
        return QueueCheck(
            level=Level.WARNING, line=f"tasks are due in paused queues: {names} | {figures}"
        )
    return QueueCheck(
        level=Level.OK,
        line=f"{waiting:,} tasks are due, the oldest for {age:,.1f} s;"
        f" {failures:,} failed in the last hour | {figures}",
    )


def _unknown(queue: str) -> QueueCheck:
    return QueueCheck(
        level=Level.UNKNOWN,
        line=f"no kind has the queue {queue}, no task is in it, and no worker names it",
    )


def _is_served(queue: str) -> bool:
    return living_workers().filter(queues__contains=[queue]).exists()


def _failures(queue: str | None, *, up_to: int) -> int:
    failed = Task.objects.filter(status=Status.FAILED, finished_at__gt=Now() - FAILURES_WITHIN)
    if queue is not None:
        failed = failed.filter(queue=queue)
    return failed.order_by().values("pk")[:up_to].count()


def _lacks(queue: str | None) -> list[str]:
    """Return what no worker serves, as in `/health`."""
    works = [work for work in unserved() if queue in (None, work.queue)]
    queues = sorted({work.queue for work in works if not work.has_worker})
    kinds = [f"{work.kind} in {work.queue}" for work in works if work.has_worker]
    return [
        f"{text}: {', '.join(names[:_MOST_NAMES])}"
        for text, names in (("no worker for", queues), ("no worker knows", kinds))
        if names
    ]


def _paused_with_work(loads: dict[str, QueueLoad]) -> list[str]:
    return [name for name, load in loads.items() if load.paused and load.due]
