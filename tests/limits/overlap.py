"""How many tasks ran at the same time, by the times in their rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from tasks.models import Task


def most_at_once(tasks: Iterable[Task]) -> int:
    """Return the largest number of tasks of one moment; a task that ends makes room at once."""
    events: list[tuple[dt.datetime, int]] = []
    for task in tasks:
        assert task.started_at
        assert task.finished_at
        events += [(task.started_at, 1), (task.finished_at, -1)]
    running = most = 0
    # Of events at one moment the ends come first.
    for _, change in sorted(events):
        running += change
        most = max(most, running)
    return most


def most_in_a_period(tasks: Iterable[Task], *, seconds: float) -> int:
    """Return the largest number of starts within so many seconds."""
    starts = sorted(task.started_at for task in tasks if task.started_at)
    period = dt.timedelta(seconds=seconds)
    return max(sum(1 for later in starts if start <= later < start + period) for start in starts)
