"""Performance over a span of time: throughput, latencies and failures by kind."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any

from django.db import connection, transaction

# Longer spans are shown by day, others by hour; hours.
HOURLY_LIMIT = 72

# Waiting times are those of tasks claimed exactly once: of others only the last start is known.
# Running times are those of the last attempt; cancelled tasks are left out, as they were cut short.
_FIGURES = """
WITH ended AS MATERIALIZED (
    SELECT
        kind, status, attempt,
        CASE WHEN status <> 'CANCELLED'
            THEN greatest(extract(epoch FROM finished_at - started_at), 0) * 1000
        END AS run_ms,
        CASE WHEN lease = 1
            THEN greatest(extract(epoch FROM started_at - greatest(created_at, scheduled_at)), 0)
                * 1000
        END AS wait_ms
    FROM tasks_task
    WHERE status IN ('COMPLETED', 'FAILED', 'CANCELLED')
        AND finished_at >= %(start)s AND finished_at < %(end)s
)
SELECT
    kind,
    count(*) FILTER (WHERE status = 'COMPLETED'),
    count(*) FILTER (WHERE status = 'FAILED'),
    count(*) FILTER (WHERE status = 'CANCELLED'),
    count(*) FILTER (WHERE attempt > 1),
    percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY wait_ms),
    percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY run_ms)
FROM ended
GROUP BY GROUPING SETS ((kind), ())
ORDER BY grouping(kind) DESC, count(*) DESC, kind
"""

_BUCKETS = """
SELECT
    date_trunc(%(unit)s, finished_at, 'UTC'),
    count(*) FILTER (WHERE status = 'COMPLETED'),
    count(*) FILTER (WHERE status = 'FAILED')
FROM tasks_task
WHERE status IN ('COMPLETED', 'FAILED') AND finished_at >= %(start)s AND finished_at < %(end)s
GROUP BY 1
"""


@dataclass(frozen=True, kw_only=True)
class Percentiles:
    """The 50th, 95th and 99th percentile, in milliseconds."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Ended tasks of one kind, or of all (None), and how long they waited and ran."""

    kind: str | None
    completed: int
    failed: int
    cancelled: int
    retried: int
    per_minute: float
    wait_ms: Percentiles | None
    run_ms: Percentiles | None

    @property
    def failure_rate(self) -> float:
        """Return the share of failed tasks among the completed and failed."""
        ended = self.completed + self.failed
        return round(self.failed / ended, 4) if ended else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as a JSON object."""
        return {**asdict(self), "failure_rate": self.failure_rate}


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """How many tasks completed and failed within one hour or day."""

    start: dt.datetime
    completed: int
    failed: int


@dataclass(frozen=True, kw_only=True)
class Performance:
    """The figures of all kinds and of each, most tasks first, and the counts over time."""

    start: dt.datetime
    end: dt.datetime
    total: Figures
    kinds: list[Figures]
    unit: str
    buckets: list[Bucket]


def performance(*, hours: int, seconds_allowed: float) -> Performance:
    """Measure the last hours; reads every task that ended in them, at most `seconds_allowed`."""
    with transaction.atomic(), connection.cursor() as cursor:
        allowed = f"{int(seconds_allowed * 1000)}ms"
        cursor.execute("SELECT set_config('statement_timeout', %s, true), now()", [allowed])
        end: dt.datetime = cursor.fetchone()[1]
        start = end - dt.timedelta(hours=hours)
        unit = "hour" if hours <= HOURLY_LIMIT else "day"
        params: dict[str, Any] = {"start": start, "end": end, "unit": unit}
        cursor.execute(_FIGURES, params)
        total, *by_kind = [_figures(row, minutes=hours * 60) for row in cursor.fetchall()]
        cursor.execute(_BUCKETS, params)
        counted = {row[0]: row[1:] for row in cursor.fetchall()}
    return Performance(
        start=start,
        end=end,
        total=total,
        kinds=by_kind,
        unit=unit,
        buckets=_buckets(counted, start=start, end=end, unit=unit),
    )


def _figures(row: tuple[Any, ...], *, minutes: int) -> Figures:
    kind, completed, failed, cancelled, retried, wait_ms, run_ms = row
    return Figures(
        kind=kind,
        completed=completed,
        failed=failed,
        cancelled=cancelled,
        retried=retried,
        per_minute=round((completed + failed) / minutes, 3),
        wait_ms=_percentiles(wait_ms),
        run_ms=_percentiles(run_ms),
    )


def _percentiles(values: list[float] | None) -> Percentiles | None:
    if values is None:
        return None
    p50, p95, p99 = (round(value, 1) for value in values)
    return Percentiles(p50=p50, p95=p95, p99=p99)


def _buckets(
    counted: dict[dt.datetime, tuple[int, int]], *, start: dt.datetime, end: dt.datetime, unit: str
) -> list[Bucket]:
    """Return every hour or day from start to end, including those in which nothing ended."""
    step = dt.timedelta(hours=1) if unit == "hour" else dt.timedelta(days=1)
    at = start.replace(minute=0, second=0, microsecond=0)
    if unit == "day":
        at = at.replace(hour=0)
    buckets = []
    while at < end:
        completed, failed = counted.get(at, (0, 0))
        buckets.append(Bucket(start=at, completed=completed, failed=failed))
        at += step
    return buckets
