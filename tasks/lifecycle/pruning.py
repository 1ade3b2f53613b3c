"""Pruning: tasks that ended longer ago than they are kept are deleted, in small batches."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, LiteralString

from tasks import sql
from tasks.models import Task
from tasks.models.retention import retention

PRUNE_LIMIT = 1_000
# Where tasks of some kinds are kept longer than others, those that ended in the last of the periods
# that are pruned are looked at by the hour: so each batch reads few that are kept.
HOURS_APART = 48
_FIRST, _LAST = (end.replace(tzinfo=dt.UTC) for end in (dt.datetime.min, dt.datetime.max))
# The periods of kinds; looked up one after the other, because there are few among very many tasks.
_PERIODS: LiteralString = """
    WITH RECURSIVE period AS (
        (SELECT keep_days FROM tasks_task WHERE keep_days > 0 ORDER BY keep_days LIMIT 1)
        UNION ALL
        SELECT (
            SELECT keep_days FROM tasks_task
            WHERE keep_days > period.keep_days
            ORDER BY keep_days
            LIMIT 1
        )
        FROM period
        WHERE period.keep_days IS NOT NULL
    )
    SELECT keep_days FROM period WHERE keep_days IS NOT NULL
"""


def prune() -> int:
    """Delete tasks that ended longer ago than their retention; return how many."""
    return sum(prune_batches())


def prune_batches() -> Iterator[int]:
    """Prune in small batches; yield the size of each, so that the caller can stop in between.

    Retention is counted back from the start: tasks that reach it meanwhile are left.
    """
    start = sql.database_now()
    for (days,) in sql.run(_PERIODS, {}):
        yield from _batches(sql.PRUNE_KEPT, {"start": start, "days": days})
    some_are_kept = Task.objects.filter(keep_days__isnull=False).exists()
    for statuses, days in retention():
        params = {"statuses": [str(status) for status in statuses], "start": start, "days": days}
        bounds = [_FIRST, _LAST]
        if some_are_kept:
            oldest = start - dt.timedelta(days=days, hours=HOURS_APART)
            bounds[1:1] = [oldest + dt.timedelta(hours=hour) for hour in range(HOURS_APART)]
        for since, until in pairwise(bounds):
            yield from _batches(sql.PRUNE, {**params, "since": since, "until": until})


def _batches(statement: LiteralString, params: dict[str, Any]) -> Iterator[int]:
    while pruned := sql.run(statement, {**params, "limit": PRUNE_LIMIT})[0][0]:
        yield pruned
