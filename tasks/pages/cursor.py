"""Pagination by cursor: each page starts after the last task of the previous page."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from tasks.models import Task
from tasks.models.task import TaskQuerySet
from tasks.pages.task_status import poll_seconds

# The fields that a list shows; inputs and results may have several megabytes.
LISTED = (
    "id", "kind", "status", "attempt", "progress",
    "created_at", "scheduled_at", "started_at", "finished_at",
)  # fmt: skip
LIST_POLL_SECONDS = 2


@dataclass(frozen=True, kw_only=True)
class TaskPage:
    """Tasks, newest first; `older` is the cursor of the next page, None on the last."""

    tasks: list[Task]
    older: uuid.UUID | None
    is_first: bool

    @property
    def poll_seconds(self) -> int | None:
        """Return when to poll again; None when all tasks on the page have ended."""
        intervals = [seconds for task in self.tasks if (seconds := poll_seconds(task))]
        return max(LIST_POLL_SECONDS, min(intervals)) if intervals else None


def task_page(tasks: TaskQuerySet, *, before: uuid.UUID | None = None, size: int = 25) -> TaskPage:
    """Return the page of tasks older than the cursor."""
    if before:
        tasks = tasks.filter(pk__lt=before)
    rows = list(tasks.newest_first().only(*LISTED)[: size + 1])
    older = rows[size - 1].pk if len(rows) > size else None
    return TaskPage(tasks=rows[:size], older=older, is_first=before is None)
