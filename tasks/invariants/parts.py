"""Parts: the bounded parts of the tables that one look reads, each through an index."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from tasks.models import Task

# At most so many tasks of a range; so many waiting tasks, running tasks and jobs.
LIMIT = 50_000
FIRST = uuid.UUID(int=0)
LAST = uuid.UUID(int=2**128 - 1)


class Part(Enum):
    """A part of a table, as the text that replaces `-- part` in a statement.

    LIMIT also keeps the planner from reading by a condition of the statement what is no part.
    """

    # Tasks of any status, by their keys; the newest ones, for rules about what has just ended.
    RANGE = """
        SELECT * FROM tasks_task WHERE id > %(after)s AND id <= %(until)s
        ORDER BY id LIMIT %(limit)s
    """
    NEWEST = "SELECT * FROM tasks_task WHERE id > %(newest)s ORDER BY id LIMIT %(limit)s"
    # Through `task_pending` and `task_processing`; the oldest jobs, which are those left behind.
    WAITING = """
        SELECT * FROM tasks_task WHERE status = 'PENDING'
        ORDER BY queue, scheduled_at LIMIT %(limit)s
    """
    RUNNING = """
        SELECT * FROM tasks_task WHERE status = 'PROCESSING'
        ORDER BY worker_id, queue LIMIT %(limit)s
    """
    JOBS = "SELECT * FROM procrastinate_jobs ORDER BY id LIMIT %(limit)s"


@dataclass(frozen=True)
class Range:
    """The tasks with keys above `after`, up to `until`: at most LIMIT when it was made."""

    after: uuid.UUID
    until: uuid.UUID


def newest() -> Range:
    """Return the range of the newest tasks, and of those to come."""
    ids = Task.objects.order_by("-id").values_list("id", flat=True)
    return Range(after=ids[LIMIT : LIMIT + 1].first() or FIRST, until=LAST)


def next_range(after: uuid.UUID, *, until: uuid.UUID) -> Range | None:
    """Return the range of the next tasks, at most up to `until`; None if that is reached."""
    if after >= until:
        return None
    ids = Task.objects.filter(id__gt=after, id__lte=until).order_by("id")
    last = ids.values_list("id", flat=True)[LIMIT - 1 : LIMIT].first()
    return Range(after=after, until=last or until)


def ranges(*, until: uuid.UUID) -> Iterator[Range]:
    """Yield all ranges from the oldest task up to `until`; each is read when it is needed."""
    after = FIRST
    while found := next_range(after, until=until):
        yield found
        after = found.until


def time_of(key: uuid.UUID) -> dt.datetime:
    """Return the time in a version 7 UUID."""
    return dt.datetime.fromtimestamp((key.int >> 80) / 1000, tz=dt.UTC)
