"""The last hour: tasks that ended in each minute, and the most frequent failures."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db.models import Count
from django.db.models.functions import TruncMinute

from tasks.models import Status, Task
from tasks.stats import FailureGroup, count_cache, failure_groups

MINUTES = 60
# How many groups of failures are returned.
WORST = 5


@dataclass(frozen=True, kw_only=True)
class Minute:
    """How many tasks completed and failed in one minute."""

    start: dt.datetime
    completed: int
    failed: int


@dataclass(frozen=True, kw_only=True)
class LastHour:
    """The minutes, oldest first, and the most frequent failures."""

    minutes: list[Minute]
    worst: list[FailureGroup]


def last_hour() -> LastHour:
    """Return the figures of the last hour; of a big table, as of a few seconds ago."""
    counted = count_cache.cached("hour", _tally_hour)
    first = counted.at.replace(second=0, microsecond=0) - dt.timedelta(minutes=MINUTES - 1)
    return LastHour(
        minutes=[
            Minute(start=first + dt.timedelta(minutes=n), completed=completed, failed=failed)
            for n, (completed, failed) in enumerate(counted.value["minutes"])
        ],
        worst=[FailureGroup(kind=k, error_type=e, count=n) for k, e, n in counted.value["worst"]],
    )


def _tally_hour(now: dt.datetime) -> dict[str, Any]:
    """Count endings by minute and failures by group; reads only the rows of the hour."""
    first = now.replace(second=0, microsecond=0) - dt.timedelta(minutes=MINUTES - 1)
    ended = Task.objects.filter(finished_at__range=(first, now))
    rows = (
        ended.filter(status__in=(Status.COMPLETED, Status.FAILED))
        .order_by()
        .values_list(TruncMinute("finished_at"), "status")
        .annotate(n=Count("*"))
    )
    minutes = [[0, 0] for _ in range(MINUTES)]
    for minute, status, n in rows:
        index = int((minute - first).total_seconds() // 60)
        if index < MINUTES:
            minutes[index][status == Status.FAILED] = n
    worst = failure_groups(ended.filter(status=Status.FAILED))[:WORST]
    return {
        "minutes": minutes,
        "worst": [[group.kind, group.error_type, group.count] for group in worst],
    }
