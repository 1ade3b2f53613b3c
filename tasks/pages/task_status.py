"""What a page tells of one task at one moment."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser, User
from django.utils import timezone

from tasks.access import may_change
from tasks.kinds import all_kinds
from tasks.models import Attempt, Lane, Status, Task
from tasks.models.attempt import history_of
from tasks.models.task import RETRYABLE

POLL_SECONDS = 1
# For what is not due for a minute or more.
PATIENT_POLL_SECONDS = 10
GENERIC_RESULT = "tasks/results/generic.html"


@dataclass(frozen=True, kw_only=True)
class Following:
    """A task as its page shows it, and what its visitor may do about it."""

    task: Task
    attempts: list[Attempt]
    result_templates: list[str]
    poll_seconds: int | None
    may_cancel: bool
    may_retry: bool

    @classmethod
    def of(cls, task: Task, *, visitor: User | AnonymousUser) -> Following:
        """Look at a task with a visitor's eyes."""
        may = may_change(visitor, owner_id=task.owner_id)
        return cls(
            task=task,
            attempts=history_of(task),
            result_templates=result_templates(task.kind),
            poll_seconds=poll_seconds(task),
            may_cancel=may and not task.is_terminal and not task.cancel_requested,
            may_retry=may and task.status in RETRYABLE,
        )

    @property
    def kind_is_known(self) -> bool:
        return self.task.kind in all_kinds()

    @property
    def is_stopping(self) -> bool:
        return self.task.status == Status.PROCESSING and self.task.cancel_requested


def poll_seconds(task: Task, *, now: dt.datetime | None = None) -> int | None:
    """Return how soon a task may look different, None when it has ended."""
    if task.is_terminal:
        return None
    now = now or timezone.now()
    if task.lane == Lane.SCHEDULED and task.scheduled_at:
        due_in = task.scheduled_at - now
        return PATIENT_POLL_SECONDS if due_in > dt.timedelta(minutes=1) else POLL_SECONDS
    return POLL_SECONDS


def result_templates(kind: str) -> list[str]:
    """Return the names under which a kind's own view of its result is looked for.

    An app shows the results of its kind `yourapp.greet` in its own way by having
    `templates/tasks/results/yourapp.greet.html`, which is given `task` and `result`.
    """
    # Only a registered name is known to be a name and not a path.
    own = [f"tasks/results/{kind}.html"] if kind in all_kinds() else []
    return [*own, GENERIC_RESULT]
