"""How the last hour went: what ended in each minute, and what failed most."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db.models import Count
from django.db.models.functions import TruncMinute

from tasks.models import Status, Task
from tasks.stats import FailureGroup, count_cache, failure_groups

MINUTES = 60
# Of what failed, so many groups are told.
WORST = 5


@dataclass(frozen=True, kw_only=True)
class Minute:
    """How many tasks ended in one minute, and how."""

    start: dt.datetime
    completed: int
    failed: int


@dataclass(frozen=True, kw_only=True)
class LastHour:
    """What ended in each minute, oldest first, and what failed most."""

    minutes: list[Minute]
    worst: list[FailureGroup]


def last_hour() -> LastHour:
    """Tell how the last hour went; where much ended in it, as of a few seconds ago."""
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
    """Count what ended in each minute and what failed most; reads those rows alone."""
    first = now.replace(second=0, microsecond=0) - dt.timedelta(minutes=MINUTES - 1)
    ended = Task.objects.filter(finished_at__gte=first)
    rows = (
        ended.filter(status__in=(Status.COMPLETED, Status.FAILED))
        .order_by()
        .values_list(TruncMinute("finished_at"), "status")
        .annotate(n=Count("*"))
    )
    minutes = [[0, 0] for _ in range(MINUTES)]
    for minute, status, n in rows:
        place = int((minute - first).total_seconds() // 60)
        if place < MINUTES:
            minutes[place][status == Status.FAILED] = n
    worst = failure_groups(ended.filter(status=Status.FAILED))[:WORST]
    return {
        "minutes": minutes,
        "worst": [[group.kind, group.error_type, group.count] for group in worst],
    }
