"""Pace: how fast tasks of each queue ended in the last minute, and how long those of a kind ran."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Avg, Count, F, Min

from tasks.models import Task
from tasks.stats import count_cache

SPAN = dt.timedelta(minutes=1)


@dataclass(frozen=True)
class Pace:
    """Seconds between two ends in each queue, and the mean run of each kind, in seconds."""

    by_queue: dict[str, float]
    by_kind: dict[str, float]

    def seconds_a_task(self, queue: str) -> float | None:
        """Return the seconds between two ends in a queue; None if none ended lately."""
        return self.by_queue.get(queue)

    def run_seconds(self, kind: str) -> float | None:
        """Return how long tasks of a kind ran; None if none ended lately."""
        return self.by_kind.get(kind)


def pace() -> Pace:
    """Return the pace of the last minute; of a big table, as of a few seconds ago."""
    return Pace(**count_cache.cached("pace", _tally).value)


def _tally(now: dt.datetime) -> dict[str, Any]:
    """Count the ends of the last minute by queue and kind; reads only their rows and some near."""
    with transaction.atomic(), connection.cursor() as cursor:
        # After a restore of the database there are no statistics: the planner would read all tasks.
        # A caller's transaction may have other settings.
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = on")
        return _paces(now)


def _paces(now: dt.datetime) -> dict[str, Any]:
    ended = Task.objects.filter(finished_at__range=(now - SPAN, now), started_at__isnull=False)
    rows = (
        ended.order_by()
        .values("queue", "kind")
        .annotate(
            n=Count("*"), first=Min("finished_at"), run=Avg(F("finished_at") - F("started_at"))
        )
    )
    numbers: dict[str, int] = {}
    first: dict[str, dt.datetime] = {}
    runs: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        queue, kind, n = row["queue"], row["kind"], row["n"]
        numbers[queue] = numbers.get(queue, 0) + n
        first[queue] = min(first.get(queue, now), row["first"])
        runs.setdefault(kind, []).append((n, row["run"].total_seconds()))
    return {
        "by_queue": {
            queue: (now - first[queue]).total_seconds() / n for queue, n in numbers.items()
        },
        "by_kind": {
            kind: sum(n * run for n, run in each) / sum(n for n, _ in each)
            for kind, each in runs.items()
        },
    }
